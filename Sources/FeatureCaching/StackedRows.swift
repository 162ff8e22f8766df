import CKernels
import Tensors

/// Matrices of the same width below one another, read as one.
struct StackedRows {
  private(set) var parts: [Tensor]

  init(_ parts: [Tensor]) {
    precondition(!parts.isEmpty && parts.allSatisfy { $0.columns == parts[0].columns }, "rows of different lengths")
    self.parts = parts
  }

  var rows: Int { parts.reduce(0) { $0 + $1.rows } }
  var columns: Int { parts[0].columns }
  var count: Int { rows * columns }

  /// As one matrix, which they stay. It is changed in place if nobody else holds it.
  var joined: Tensor {
    mutating get {
      join()
      return parts[0]
    }
    _modify {
      join()
      yield &parts[0]
    }
  }

  private mutating func join() {
    if parts.count > 1 { parts = [Tensor.concatenated(rows: parts)] }
  }

  /// Rows picked by index, in that order.
  func gathered(rows indices: [Int]) -> Tensor {
    var result = Tensor(uninitialized: [indices.count, columns])
    result.withUnsafeMutableElements { result in
      guard let result = result.baseAddress else { return }
      for (place, row) in indices.enumerated() { copy(rows: row..<row + 1, to: result + place * columns) }
    }
    return result
  }

  /// Adds rows picked by index, in that order, to those of a matrix.
  func add(rows indices: [Int], to target: inout Tensor) {
    precondition(target.shape == [indices.count, columns], "\(indices.count) rows do not fit \(target.shape)")
    target.withUnsafeMutableElements { target in
      guard let target = target.baseAddress else { return }
      for (place, row) in indices.enumerated() {
        forEachStretch(of: row..<row + 1) { source, _, count in kernels.add(target + place * columns, source, count) }
      }
    }
  }

  /// Copies some rows.
  func copy(rows: Range<Int>, to target: UnsafeMutablePointer<Float>) {
    forEachStretch(of: rows) { source, first, count in (target + first).update(from: source, count: count) }
  }

  /// Calls `body` with what lies together of some rows, each with its place among their elements.
  private func forEachStretch(
    of rows: Range<Int>, _ body: (_ source: UnsafePointer<Float>, _ first: Int, _ count: Int) -> Void
  ) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "no rows \(rows)")
    var first = 0
    for part in parts {
      let own = rows.clamped(to: first..<first + part.rows)
      if !own.isEmpty {
        body(
          part.start + (own.lowerBound - first) * columns, (own.lowerBound - rows.lowerBound) * columns,
          own.count * columns)
        withExtendedLifetime(part) {}
      }
      first += part.rows
    }
  }
}
