import CKernels

/// Numbers that are kept in half of their memory: bfloat16, row-major, without gaps, with value semantics.
public struct BFloat16Tensor: Sendable {
  public let shape: [Int]
  private var storage: AlignedStorage<UInt16>

  /// A tensor whose elements hold what the memory held; the caller writes every one of them.
  public init(uninitialized shape: [Int]) {
    self.shape = shape
    storage = AlignedStorage<UInt16>(count: shape.reduce(1, *))
  }

  /// The nearest numbers to those of a tensor.
  public init(rounding tensor: Tensor) {
    self.init(uninitialized: tensor.shape)
    let target = storage.start
    tensor.withUnsafeElements { source in
      guard let source = source.baseAddress else { return }
      Tensor.forEachRowRange(rows: tensor.rows, columns: tensor.columns) { rows in
        let start = rows.lowerBound * tensor.columns
        kernels.to_bfloat16(source + start, target + start, rows.count * tensor.columns)
      }
    }
  }

  /// The same numbers in float32.
  public var widened: Tensor {
    var tensor = Tensor(uninitialized: shape)
    tensor.withUnsafeMutableElements { target in
      if let target = target.baseAddress { kernels.from_bfloat16(storage.start, target, count) }
    }
    return tensor
  }

  public var count: Int { storage.count }
  public var byteCount: Int { storage.byteCount }

  /// Where the elements stand, good as long as this tensor lives and is not changed.
  package var start: UnsafePointer<UInt16> { UnsafePointer(storage.start) }

  /// Calls `body` with the elements in storage order, to be changed; the pointer is good only during the call.
  package mutating func withUnsafeMutableElements<Value>(
    _ body: (UnsafeMutablePointer<UInt16>) throws -> Value
  ) rethrows -> Value {
    if !isKnownUniquelyReferenced(&storage) { storage = storage.copy() }
    defer { withExtendedLifetime(storage) {} }
    return try body(storage.start)
  }
}

extension BFloat16Tensor {
  /// The elements of tensors, to be changed; the pointers are good only during the call.
  package static func withMutableElements(
    of tensors: inout [BFloat16Tensor], _ body: ([UnsafeMutablePointer<UInt16>]) -> Void
  ) {
    // As of ``Tensor``: one that the array still held would be copied.
    let placeholder = BFloat16Tensor(uninitialized: [0])
    func open(_ index: Int, _ pointers: [UnsafeMutablePointer<UInt16>]) {
      guard index < tensors.count else { return body(pointers) }
      var tensor = placeholder
      swap(&tensor, &tensors[index])
      tensor.withUnsafeMutableElements { open(index + 1, pointers + [$0]) }
      swap(&tensor, &tensors[index])
    }
    open(0, [])
  }
}

/// Equal shapes and equal bits.
extension BFloat16Tensor: Equatable {
  public static func == (left: BFloat16Tensor, right: BFloat16Tensor) -> Bool {
    left.shape == right.shape && left.storage.elements.elementsEqual(right.storage.elements)
  }
}
