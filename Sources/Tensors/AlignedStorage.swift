/// Memory for the numbers of tensors and packed weights, aligned to cache lines.
///
/// Unchecked: whoever holds it alone writes it; once it is shared, nobody does.
final class AlignedStorage<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  let elements: UnsafeMutableBufferPointer<Element>
  /// What the elements lie in if not in memory of their own: zeros that take address space only, or a file. They may not
  /// be written then.
  private let owner: AnyObject?

  var count: Int { elements.count }
  var byteCount: Int { count * MemoryLayout<Element>.stride }
  var start: UnsafeMutablePointer<Element> { elements.baseAddress! }

  /// Memory that holds what it held.
  init(count: Int) {
    let memory = RecycledMemory.allocate(bytes: Self.allocatedBytes(count))
    elements = UnsafeMutableBufferPointer(start: memory.bindMemory(to: Element.self, capacity: count), count: count)
    owner = nil
  }

  /// Zeros for what is measured by its shape alone.
  ///
  /// - Returns: nil if the address space has no room.
  init?(zeros count: Int) {
    guard let pages = ZeroPages(byteCount: count * MemoryLayout<Element>.stride) else { return nil }
    elements = UnsafeMutableBufferPointer(mutating: pages.bytes.bindMemory(to: Element.self))
    owner = pages
  }

  /// What a tensor in a file holds, where it is mapped.
  ///
  /// - Returns: nil if it is in no file, or not aligned to cache lines.
  init?(mapped stored: StoredTensor) {
    guard let file = stored.file else { return nil }
    // The mapping stays where it is for as long as the file is held.
    let bytes = stored.withBytes { $0 }
    guard Int(bitPattern: bytes.baseAddress) % 64 == 0 else { return nil }
    elements = UnsafeMutableBufferPointer(mutating: bytes.bindMemory(to: Element.self))
    owner = file
  }

  private static func allocatedBytes(_ count: Int) -> Int { max(count, 1) * MemoryLayout<Element>.stride }

  deinit {
    guard owner == nil else { return }
    RecycledMemory.release(start, bytes: Self.allocatedBytes(count))
  }

  func copy() -> AlignedStorage {
    let copy = AlignedStorage(count: count)
    _ = copy.elements.update(fromContentsOf: elements)
    return copy
  }
}
