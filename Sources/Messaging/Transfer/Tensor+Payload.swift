import Tensors

extension Tensor {
  /// The elements as they travel, where they stand: float32, little-endian, row-major.
  public func payload() -> Payload {
    let (keeper, bytes) = sharedBytes
    return Payload(owner: keeper, start: bytes.baseAddress, count: bytes.count)
  }

  /// The tensor that has arrived, widened to float32 if it is bfloat16; nil for other types.
  public init?(_ arrival: TensorInbox.Arrival) {
    guard arrival.plan.dtype == .float32 || arrival.plan.dtype == .bfloat16 else { return nil }
    self.init(uninitialized: arrival.plan.shape)
    withUnsafeMutableElements { elements in
      arrival.payload.withBytes { bytes in
        if arrival.plan.dtype == .float32 {
          UnsafeMutableRawBufferPointer(elements).copyMemory(from: bytes)
        } else {
          for index in elements.indices {
            let upper = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
            elements[index] = Float(bitPattern: UInt32(upper) << 16)
          }
        }
      }
    }
  }
}
