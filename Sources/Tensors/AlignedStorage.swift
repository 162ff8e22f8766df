/// Memory for the numbers of tensors and packed weights, aligned to cache lines.
///
/// Unchecked: whoever holds it alone writes it; once it is shared, nobody does.
final class AlignedStorage<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  let elements: UnsafeMutableBufferPointer<Element>
  /// What the elements lie in.
  private enum Place {
    case own(UnsafeMutableRawBufferPointer)
    /// Zeros that take address space only, or a file. They may not be written.
    case others(AnyObject)
  }
  private let place: Place

  var count: Int { elements.count }
  var byteCount: Int { count * MemoryLayout<Element>.stride }
  var start: UnsafeMutablePointer<Element> { elements.baseAddress! }

  /// Memory that holds what it held.
  init(count: Int) {
    let memory = RecycledMemory.allocate(bytes: max(count, 1) * MemoryLayout<Element>.stride)
    elements = UnsafeMutableBufferPointer(rebasing: memory.bindMemory(to: Element.self).prefix(count))
    place = .own(memory)
  }

  /// Zeros for what is measured by its shape alone.
  ///
  /// - Returns: nil if the address space has no room.
  init?(zeros count: Int) {
    guard let pages = ZeroPages(byteCount: count * MemoryLayout<Element>.stride) else { return nil }
    elements = UnsafeMutableBufferPointer(mutating: pages.bytes.bindMemory(to: Element.self))
    place = .others(pages)
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
    place = .others(file)
  }

  deinit {
    if case .own(let memory) = place { RecycledMemory.release(memory) }
  }

  func copy() -> AlignedStorage {
    let copy = AlignedStorage(count: count)
    _ = copy.elements.update(fromContentsOf: elements)
    return copy
  }
}
