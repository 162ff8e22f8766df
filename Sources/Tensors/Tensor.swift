/// Numbers of a computation: float32, row-major, without gaps, with value semantics.
///
/// Copies share their storage until one of them is changed. The last dimension is called columns and all others
/// together rows, since every kernel works on rows.
public struct Tensor: Sendable {
  public private(set) var shape: [Int]
  private var storage: AlignedStorage<Float>

  /// A tensor whose elements hold what the memory held; the caller writes every one of them.
  public init(uninitialized shape: [Int]) {
    precondition(shape.allSatisfy { $0 >= 0 }, "a dimension of \(shape) is negative")
    self.shape = shape
    storage = AlignedStorage<Float>(count: shape.reduce(1, *))
  }

  public init(repeating value: Float, shape: [Int]) {
    self.init(uninitialized: shape)
    withUnsafeMutableElements { $0.update(repeating: value) }
  }

  public init(zeros shape: [Int]) { self.init(repeating: 0, shape: shape) }

  /// A tensor of the given elements, as many as the shape has.
  public init(_ elements: some Collection<Float>, shape: [Int]) {
    self.init(uninitialized: shape)
    precondition(elements.count == count, "\(elements.count) elements do not fill the shape \(shape)")
    withUnsafeMutableElements { _ = $0.update(fromContentsOf: elements) }
  }

  /// The numbers of a stored tensor, widened to float32.
  public init(_ stored: StoredTensor) throws {
    self.init(uninitialized: stored.shape)
    try withUnsafeMutableElements { try stored.convertToFloat32(elements: 0..<$0.count, into: $0) }
    stored.advise(.done)
  }

  public var count: Int { storage.count }
  /// The last dimension; 1 for a scalar.
  public var columns: Int { shape.last ?? 1 }
  /// The product of all dimensions but the last.
  public var rows: Int { columns == 0 ? 0 : count / columns }
  public var byteCount: Int { count * MemoryLayout<Float>.stride }

  public var elements: [Float] { withUnsafeElements { Array($0) } }

  /// The element at a place of the storage order.
  public subscript(index: Int) -> Float {
    get { withUnsafeElements { $0[index] } }
    set { withUnsafeMutableElements { $0[index] = newValue } }
  }

  /// The same elements with other dimensions of the same product.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(shape.reduce(1, *) == count, "\(self.shape) cannot become \(shape)")
    var tensor = self
    tensor.shape = shape
    return tensor
  }

  /// A copy of some rows, as a matrix.
  public func rows(_ range: Range<Int>) -> Tensor {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "\(shape) has no rows \(range)")
    let columns = columns
    return withUnsafeElements { source in
      Tensor(source[range.lowerBound * columns..<range.upperBound * columns], shape: [range.count, columns])
    }
  }

  /// A copy of some columns, as a matrix.
  public func columns(_ range: Range<Int>) -> Tensor {
    let columns = columns
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "\(shape) has no columns \(range)")
    var result = Tensor(uninitialized: [rows, range.count])
    withUnsafeElements { source in
      result.withUnsafeMutableElements { target in
        for row in 0..<rows {
          let columnsOfRow = source[row * columns + range.lowerBound..<row * columns + range.upperBound]
          _ = target[row * range.count..<(row + 1) * range.count].update(fromContentsOf: columnsOfRow)
        }
      }
    }
    return result
  }

  /// Writes a matrix of as many rows over some of the columns.
  public mutating func replace(columns range: Range<Int>, by source: Tensor) {
    let columns = columns
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "\(shape) has no columns \(range)")
    precondition(source.rows == rows && source.columns == range.count, "\(source.shape) does not fit columns \(range)")
    let rows = rows
    withUnsafeMutableElements { target in
      source.withUnsafeElements { source in
        guard let target = target.baseAddress, let source = source.baseAddress else { return }
        Self.forEachRowRange(rows: rows, columns: range.count) { rows in
          for row in rows {
            (target + row * columns + range.lowerBound).update(from: source + row * range.count, count: range.count)
          }
        }
      }
    }
  }

  /// Rows picked by index, in that order, as a matrix.
  public func gathered(rows indices: [Int]) -> Tensor {
    var result = Tensor(uninitialized: [indices.count, columns])
    let columns = columns
    withUnsafeElements { source in
      result.withUnsafeMutableElements { target in
        for (row, index) in indices.enumerated() {
          _ = target[row * columns..<(row + 1) * columns].update(
            fromContentsOf: source[index * columns..<(index + 1) * columns])
        }
      }
    }
    return result
  }

  /// The rows of all tensors below one another, as a matrix.
  public static func concatenated(rows tensors: [Tensor]) -> Tensor {
    let columns = tensors.first?.columns ?? 0
    precondition(tensors.allSatisfy { $0.columns == columns }, "rows of different lengths cannot be joined")
    var result = Tensor(uninitialized: [tensors.reduce(0) { $0 + $1.rows }, columns])
    result.withUnsafeMutableElements { target in
      var start = 0
      for tensor in tensors {
        tensor.withUnsafeElements { _ = target[start..<start + $0.count].update(fromContentsOf: $0) }
        start += tensor.count
      }
    }
    return result
  }

  /// Where the elements stand, good as long as this tensor lives and is not changed.
  package var start: UnsafePointer<Float> { UnsafePointer(storage.start) }

  /// Where the elements stand, nobody else's, to be changed as long as this tensor lives and is not copied.
  package mutating func uniqueStart() -> UnsafeMutablePointer<Float> {
    if !isKnownUniquelyReferenced(&storage) { storage = storage.copy() }
    return storage.start
  }

  /// The bytes of the elements where they stand, good as long as what keeps them lives. It counts as a copy of the tensor:
  /// whoever changes that meanwhile changes another.
  package var sharedBytes: (keeper: any AnyObject & Sendable, bytes: UnsafeRawBufferPointer) {
    (storage, UnsafeRawBufferPointer(storage.elements))
  }

  /// Calls `body` with the elements in storage order; the buffer is good only during the call.
  public func withUnsafeElements<Value, Failure: Error>(
    _ body: (UnsafeBufferPointer<Float>) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeBufferPointer(storage.elements))
  }

  /// Calls `body` with the elements in storage order, to be changed; the buffer is good only during the call.
  public mutating func withUnsafeMutableElements<Value, Failure: Error>(
    _ body: (UnsafeMutableBufferPointer<Float>) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    _ = uniqueStart()
    defer { withExtendedLifetime(storage) {} }
    return try body(storage.elements)
  }
}

/// Equal shapes and equal bits.
extension Tensor: Equatable {
  public static func == (left: Tensor, right: Tensor) -> Bool {
    left.shape == right.shape
      && left.withUnsafeElements { left in
        right.withUnsafeElements { right in
          zip(left, right).allSatisfy { $0.bitPattern == $1.bitPattern }
        }
      }
  }
}
