extension TensorPlan {
  private static let rowBytes = 64 << 10

  /// For a file of so many bytes. What is longer than a dimension may be is sent in rows, the last of them filled up with
  /// zeros; see ``Payload/init(file:for:)``. Nil for no bytes, and for more than tensors may have.
  public init?(fileBytes count: Int) {
    guard count > Self.maximumDimension else {
      self.init(.output, .uint8, shape: [count])
      return
    }
    self.init(.output, .uint8, shape: [(count - 1) / Self.rowBytes + 1, Self.rowBytes])
  }
}

extension Payload {
  /// The bytes of a file as ``TensorPlan/init(fileBytes:)`` has them.
  public init(file bytes: [UInt8], for plan: TensorPlan) {
    self.init(byteCount: plan.byteCount) { memory in
      memory.copyBytes(from: bytes)
      UnsafeMutableRawBufferPointer(rebasing: memory[bytes.count...]).initializeMemory(as: UInt8.self, repeating: 0)
    }
  }
}
