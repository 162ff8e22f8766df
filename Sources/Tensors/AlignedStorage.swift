/// Memory for the numbers of tensors and packed weights, aligned to cache lines.
///
/// Unchecked: whoever holds it alone writes it; once it is shared, nobody does.
final class AlignedStorage<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  let elements: UnsafeMutableBufferPointer<Element>
  /// What the elements lie in if they are zeros that take address space only; they may not be written then.
  private let zeros: ZeroPages?

  var count: Int { elements.count }
  var byteCount: Int { count * MemoryLayout<Element>.stride }
  var start: UnsafeMutablePointer<Element> { elements.baseAddress! }

  /// Memory that holds what it held.
  init(count: Int) {
    let memory = RecycledMemory.allocate(bytes: Self.allocatedBytes(count))
    elements = UnsafeMutableBufferPointer(start: memory.bindMemory(to: Element.self, capacity: count), count: count)
    zeros = nil
  }

  /// Zeros for what is measured by its shape alone.
  ///
  /// - Returns: nil if the address space has no room.
  init?(zeros count: Int) {
    guard let pages = ZeroPages(byteCount: count * MemoryLayout<Element>.stride) else { return nil }
    elements = UnsafeMutableBufferPointer(mutating: pages.bytes.bindMemory(to: Element.self))
    zeros = pages
  }

  private static func allocatedBytes(_ count: Int) -> Int { max(count, 1) * MemoryLayout<Element>.stride }

  deinit {
    guard zeros == nil else { return }
    RecycledMemory.release(start, bytes: Self.allocatedBytes(count))
  }

  func copy() -> AlignedStorage {
    let copy = AlignedStorage(count: count)
    _ = copy.elements.update(fromContentsOf: elements)
    return copy
  }
}
