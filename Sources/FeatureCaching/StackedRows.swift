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

  /// Copies some rows.
  func copy(rows: Range<Int>, to target: UnsafeMutablePointer<Float>) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "no rows \(rows)")
    var first = 0
    for part in parts {
      let own = rows.clamped(to: first..<first + part.rows)
      part.withUnsafeElements { source in
        guard let source = source.baseAddress, !own.isEmpty else { return }
        (target + (own.lowerBound - rows.lowerBound) * columns).update(
          from: source + (own.lowerBound - first) * columns, count: own.count * columns)
      }
      first += part.rows
    }
  }
}
