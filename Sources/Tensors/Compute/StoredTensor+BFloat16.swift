import CKernels

extension StoredTensor {
  /// The numbers in bfloat16, rounded to nearest even where they are others; good only during the call.
  func withBFloat16(_ body: (UnsafePointer<UInt16>) -> Void) {
    if dtype == .bfloat16 {
      return withBytes { bytes in
        if Int(bitPattern: bytes.baseAddress) % MemoryLayout<UInt16>.alignment == 0 {
          return bytes.withMemoryRebound(to: UInt16.self) { body($0.baseAddress!) }
        }
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: elementCount) { aligned in
          UnsafeMutableRawBufferPointer(aligned).copyMemory(from: bytes)
          body(aligned.baseAddress!)
        }
      }
    }
    guard let wide = try? Tensor(self) else { preconditionFailure("weights hold floating-point numbers") }
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: elementCount) { narrow in
      wide.withUnsafeElements { kernels.to_bfloat16($0.baseAddress, narrow.baseAddress, $0.count) }
      body(narrow.baseAddress!)
    }
  }
}
