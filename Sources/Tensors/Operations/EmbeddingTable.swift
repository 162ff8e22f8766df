/// A table with a row for each token, class or position. Rows are read from the file when they are looked up: of a
/// vocabulary's hundreds of megabytes a prompt needs some hundred rows.
public struct EmbeddingTable: Sendable {
  private let table: StoredTensor

  public let rows: Int
  public let columns: Int

  /// Reads `weight` `[rows, columns]`, or the table of another name.
  public init(_ parameters: Parameters, name: String = "weight", rows: Int, columns: Int) throws {
    table = try parameters.stored(name, shape: [rows, columns])
    self.rows = rows
    self.columns = columns
  }

  /// The rows of these indices in their order, in float32: `[indices, columns]`.
  ///
  /// - Throws: ``TensorError`` for an index without a row.
  public func callAsFunction(_ indices: some Collection<Int32>) throws -> Tensor {
    var result = Tensor(uninitialized: [indices.count, columns])
    try result.withUnsafeMutableElements { target in
      for (place, index) in indices.enumerated() {
        guard index >= 0, index < rows else {
          throw TensorError(tensor: table.name, reason: "has \(rows) rows, so that there is none for the id \(index)")
        }
        let first = Int(index) * columns
        try table.convertToFloat32(
          elements: first..<first + columns,
          into: UnsafeMutableBufferPointer(rebasing: target[place * columns..<(place + 1) * columns]))
      }
    }
    return result
  }
}
