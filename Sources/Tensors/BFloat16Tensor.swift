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

  /// Where the elements stand, nobody else's, to be changed as long as this tensor lives and is not copied.
  package mutating func uniqueStart() -> UnsafeMutablePointer<UInt16> {
    if !isKnownUniquelyReferenced(&storage) { storage = storage.copy() }
    return storage.start
  }
}

/// Equal shapes and equal bits.
extension BFloat16Tensor: Equatable {
  public static func == (left: BFloat16Tensor, right: BFloat16Tensor) -> Bool {
    left.shape == right.shape && left.storage.elements.elementsEqual(right.storage.elements)
  }
}
