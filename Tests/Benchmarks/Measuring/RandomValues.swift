import Tensors

/// Numbers to compute with: which ones does not matter, but zeros and denormals would be faster or slower than others.
enum RandomValues {
  static func tensor(_ shape: [Int], seed: UInt64 = 1, scale: Float = 1) -> Tensor {
    var tensor = Tensor(uninitialized: shape)
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    tensor.withUnsafeMutableElements { elements in
      for index in elements.indices {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        elements[index] = (Float(state >> 40) / Float(1 << 23) - 1) * scale
      }
    }
    return tensor
  }

  /// A matrix as checkpoints hold it.
  static func stored(_ rows: Int, _ columns: Int, _ dtype: DType, scale: Float = 0.02) throws -> StoredTensor {
    let values = tensor([rows, columns], scale: scale).elements
    guard dtype == .bfloat16 else { return try StoredTensor(name: "weight", shape: [rows, columns], values: values) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * values.count)
    for value in values {
      let bits = value.bitPattern >> 16
      bytes.append(UInt8(truncatingIfNeeded: bits))
      bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
    }
    return try StoredTensor(name: "weight", dtype: .bfloat16, shape: [rows, columns], bytes: bytes)
  }
}
