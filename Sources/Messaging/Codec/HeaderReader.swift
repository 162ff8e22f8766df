import CMessages

/// Takes the fields out of an unpacked header; what does not fit is malformed at the place of its field.
struct HeaderReader {
  private let message: UnsafePointer<Clusca__Header>
  private let offsets: [UInt16]
  private let end: Int

  /// - Parameter end: the length of the header, which is the place of what is missing.
  init(_ message: UnsafePointer<Clusca__Header>, offsets: [UInt16], end: Int) {
    self.message = message
    self.offsets = offsets
    self.end = end
  }

  subscript<Value>(path: KeyPath<Clusca__Header, Value>) -> Value { message.pointee[keyPath: path] }

  func malformed(_ field: HeaderField, _ what: String) -> MalformedMessage {
    let offset = Int(offsets[field.rawValue])
    return MalformedMessage("\(field) \(what)", at: offset > 0 ? offset : end)
  }

  /// A member of a closed set.
  func value<Value: RawRepresentable<UInt32>>(
    _ path: KeyPath<Clusca__Header, UInt32>, _ field: HeaderField
  ) throws(MalformedMessage) -> Value {
    guard let value = Value(rawValue: self[path]) else { throw malformed(field, "is unknown: \(self[path])") }
    return value
  }

  /// A number of bytes.
  func count(_ path: KeyPath<Clusca__Header, UInt64>, _ field: HeaderField) throws(MalformedMessage) -> Int {
    guard let value = Int(exactly: self[path]) else { throw malformed(field, "is out of range") }
    return value
  }

  /// A finite number.
  func number(_ path: KeyPath<Clusca__Header, Float>, _ field: HeaderField) throws(MalformedMessage) -> Float {
    guard self[path].isFinite else { throw malformed(field, "is not finite") }
    return self[path]
  }

  func text(
    _ path: KeyPath<Clusca__Header, UnsafeMutablePointer<CChar>?>, _ field: HeaderField, maximumBytes: Int
  ) throws(MalformedMessage) -> String {
    guard let characters = self[path] else { return "" }
    guard let text = String(validatingCString: characters) else { throw malformed(field, "is no UTF-8") }
    guard text.utf8.count <= maximumBytes else { throw malformed(field, "has more than \(maximumBytes) bytes") }
    return text
  }

  func keyIfAny(
    _ path: KeyPath<Clusca__Header, UnsafeMutablePointer<CChar>?>, _ field: HeaderField
  ) throws(MalformedMessage) -> PublicKey? {
    let text = try text(path, field, maximumBytes: PublicKey.characters)
    if text.isEmpty { return nil }
    guard let key = PublicKey(text) else { throw malformed(field, "is no key") }
    return key
  }

  func bytes(_ path: KeyPath<Clusca__Header, ProtobufCBinaryData>) -> [UInt8] { Self.bytes(self[path]) }

  func digestIfAny(
    _ path: KeyPath<Clusca__Header, ProtobufCBinaryData>, _ field: HeaderField
  ) throws(MalformedMessage) -> Digest? {
    let bytes = bytes(path)
    if bytes.isEmpty { return nil }
    guard let digest = Digest(bytes) else { throw malformed(field, "is no digest") }
    return digest
  }

  func digests(
    _ path: KeyPath<Clusca__Header, UnsafeMutablePointer<ProtobufCBinaryData>?>, count: Int, _ field: HeaderField,
    maximum: Int
  ) throws(MalformedMessage) -> [Digest] {
    var digests: [Digest] = []
    for data in try list(path, count: count, field, maximum: maximum) {
      guard let digest = Digest(Self.bytes(data)) else { throw malformed(field, "is no digest") }
      digests.append(digest)
    }
    return digests
  }

  func list<Element>(
    _ path: KeyPath<Clusca__Header, UnsafeMutablePointer<Element>?>, count: Int, _ field: HeaderField, maximum: Int
  ) throws(MalformedMessage) -> [Element] {
    guard count <= maximum else { throw malformed(field, "has more than \(maximum) entries") }
    return Array(UnsafeBufferPointer(start: self[path], count: count))
  }

  private static func bytes(_ data: ProtobufCBinaryData) -> [UInt8] {
    Array(UnsafeBufferPointer(start: data.data, count: data.len))
  }
}
