import CMessages
import Glibc

/// Fills a header's fields; owns the memory they point to.
final class HeaderWriter {
  var message = Clusca__Header()
  private var memory: [UnsafeMutableRawPointer] = []

  init() { clusca__header__init(&message) }

  deinit { for pointer in memory { pointer.deallocate() } }

  /// Text of at most so many bytes; more is cut off.
  func text(_ text: String, maximumBytes: Int) -> UnsafeMutablePointer<CChar>? {
    let characters = MessageText.cut(text, to: maximumBytes).utf8CString
    return list(Array(characters)).0
  }

  func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    let (start, count) = list(bytes)
    return ProtobufCBinaryData(len: count, data: start)
  }

  func list(_ lists: [[UInt8]]) -> (UnsafeMutablePointer<ProtobufCBinaryData>?, Int) { list(lists.map(bytes)) }

  func list<Element: BitwiseCopyable>(_ elements: [Element]) -> (UnsafeMutablePointer<Element>?, Int) {
    guard !elements.isEmpty else { return (nil, 0) }
    let copy = UnsafeMutablePointer<Element>.allocate(capacity: elements.count)
    copy.initialize(from: elements, count: elements.count)
    memory.append(UnsafeMutableRawPointer(copy))
    return (copy, elements.count)
  }

  /// The packed fields, behind `prefix`.
  func packed(behind prefix: [UInt8]) -> [UInt8] {
    let count = clusca__header__get_packed_size(&message)
    return [UInt8](unsafeUninitializedCapacity: prefix.count + count) { buffer, initialized in
      _ = buffer.update(fromContentsOf: prefix)
      let written = clusca__header__pack(&message, buffer.baseAddress.map { $0 + prefix.count })
      initialized = prefix.count + written
    }
  }
}
