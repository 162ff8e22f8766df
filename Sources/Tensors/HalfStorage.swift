/// Memory for 16-bit numbers, aligned to cache lines. Unchecked: written before it is shared, never after.
final class HalfStorage: @unchecked Sendable {
  let elements: UnsafeMutableBufferPointer<UInt16>
  /// What the elements lie in if they are zeros that take address space only; they may not be written then.
  private let zeros: ZeroPages?

  init(count: Int) {
    let memory = RecycledMemory.allocate(bytes: Self.bytes(count))
    elements = UnsafeMutableBufferPointer(start: memory.bindMemory(to: UInt16.self, capacity: count), count: count)
    zeros = nil
  }

  /// - Returns: nil if the address space has no room.
  init?(zeros count: Int) {
    guard let pages = ZeroPages(byteCount: count * MemoryLayout<UInt16>.stride) else { return nil }
    elements = UnsafeMutableBufferPointer(mutating: pages.bytes.bindMemory(to: UInt16.self))
    zeros = pages
  }

  private static func bytes(_ count: Int) -> Int { max(count, 1) * MemoryLayout<UInt16>.stride }

  deinit {
    guard zeros == nil, let start = elements.baseAddress else { return }
    RecycledMemory.release(start, bytes: Self.bytes(elements.count))
  }
}
