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

extension [RowRequest] {
  /// The features that caches of several samples asked for, in their order.
  ///
  /// - Parameters:
  ///   - prepare: gives what the common part takes of the rows of a request, by its index, such as their norm modulated for
  ///     the sample.
  ///   - mostRows: more than so many at once would have other bits than those of each request by themselves; nil if never.
  ///   - compute: takes rows, those of all requests one below the other if they may be, and gives as many outputs.
  public func features(
    prepare: (_ index: Int, _ rows: Tensor) -> Tensor, mostRows: Int?, compute: (Tensor) -> Tensor
  ) -> [Feature] {
    let prepared = enumerated().map { index, request in request.rows.map { prepare(index, $0) } }
    let present = prepared.compactMap { $0 }
    let count = present.reduce(0) { $0 + $1.rows }
    guard present.count > 1, mostRows.map({ count <= $0 }) ?? true else {
      return zip(self, prepared).map { request, rows in request.feature(rows.map(compute)) }
    }
    let outputs = compute(Tensor.concatenated(rows: present))
    var start = 0
    return zip(self, prepared).map { request, rows in
      guard let rows else { return request.feature(nil) }
      defer { start += rows.rows }
      return request.feature(outputs.rows(start..<start + rows.rows))
    }
  }
}
