import CKernels

/// Memory that is needed soon. A product of many rows in bfloat16 can fetch it on its way: it computes for long on what is
/// near, and memory has nothing to do meanwhile.
///
/// It holds addresses alone, and nothing is read from them: what lies there may change or go, and only speed hangs on it.
public struct MemoryAhead: @unchecked Sendable {
  private var parts: [UnsafeRawBufferPointer]

  /// - Parameters:
  ///   - tensors: those that are needed.
  ///   - narrow: as are these.
  public init(_ tensors: [Tensor] = [], narrow: [BFloat16Tensor] = []) {
    parts =
      tensors.map { UnsafeRawBufferPointer(start: $0.start, count: $0.byteCount) }
      + narrow.map { UnsafeRawBufferPointer(start: $0.start, count: $0.byteCount) }
  }

  /// What all of some need.
  public init(joining all: [MemoryAhead]) { parts = all.flatMap(\.parts) }

  /// Calls `body` with one of `count` even shares of each part.
  func withShare<Value>(_ index: Int, of count: Int, _ body: (UnsafeBufferPointer<clusca_memory>) -> Value) -> Value {
    withUnsafeTemporaryAllocation(of: clusca_memory.self, capacity: parts.count) { shares in
      for (place, part) in parts.enumerated() {
        let first = part.count * index / count
        shares.initializeElement(
          at: place,
          to: clusca_memory(
            start: part.baseAddress.map { $0 + first }, bytes: part.count * (index + 1) / count - first))
      }
      return body(UnsafeBufferPointer(shares))
    }
  }
}
