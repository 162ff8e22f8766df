import Tensors

/// What a cache wants of a branch that works on each token for itself: the rows to compute, and what becomes of their
/// outputs. Asking and answering are two things, so that rows of several samples can go through one product.
public struct RowRequest {
  /// Rows of the hidden states, `[rows, width]`; nil if nothing is to be computed.
  public let rows: Tensor?
  private let finish: (Tensor?) -> Feature

  /// - Parameter finish: makes the feature of all tokens from the outputs of `rows`; nil if there are none.
  public init(rows: Tensor?, finish: @escaping (Tensor?) -> Feature) {
    self.rows = rows
    self.finish = finish
  }

  /// A request for rows whose outputs are needed.
  public init(rows: Tensor, finish: @escaping (Tensor) -> Feature) {
    self.init(rows: .some(rows)) { outputs in
      guard let outputs else { preconditionFailure("a branch gave no outputs of the rows that a cache asked for") }
      return finish(outputs)
    }
  }

  /// The feature of all tokens; called once.
  ///
  /// - Parameter outputs: of ``rows``, in their order, `[rows, width]`; nil if there are none.
  public func feature(_ outputs: Tensor?) -> Feature { finish(outputs) }
}

/// Some rows of a matrix that several samples share.
public struct SharedRows {
  fileprivate let matrix: Tensor
  fileprivate let range: Range<Int>

  /// A copy of them, unless they are all.
  public var rows: Tensor { range == 0..<matrix.rows ? matrix : matrix.rows(range) }
}

extension [Tensor?] {
  /// The outputs of the rows of several samples, in their order; nil where there are no rows.
  ///
  /// - Parameters:
  ///   - mostRows: more than so many at once would have other bits than those of each sample by themselves; nil if never.
  ///   - compute: takes rows, those of all samples one below the other if they may be, and gives as many outputs.
  public func outputs(mostRows: Int?, compute: (Tensor) -> Tensor) -> [SharedRows?] {
    let present = compactMap { $0 }
    let count = present.reduce(0) { $0 + $1.rows }
    guard present.count > 1, mostRows.map({ count <= $0 }) ?? true else {
      return map { $0.map(compute).map { SharedRows(matrix: $0, range: 0..<$0.rows) } }
    }
    let outputs = compute(Tensor.concatenated(rows: present))
    var start = 0
    return map { rows in
      guard let rows else { return nil }
      defer { start += rows.rows }
      return SharedRows(matrix: outputs, range: start..<start + rows.rows)
    }
  }
}
