/// The fields of one kind of message.
protocol MessageFields: Sendable, Hashable {
  static var kind: MessageKind { get }
  /// Those that a header of the kind may have beside the fence.
  static var fields: FieldSet { get }
  init(reading header: HeaderReader) throws(MalformedMessage)
  func write(to header: HeaderWriter)
  func payloadRule(_ limits: Limits) -> PayloadRule
}

extension MessageFields {
  func payloadRule(_ limits: Limits) -> PayloadRule { .none }
}

/// How many bytes a payload may have.
enum PayloadRule: Sendable, Hashable {
  case exactly(Int)
  case between(Int, Int)

  static let none = PayloadRule.exactly(0)
  static func atMost(_ bytes: Int) -> PayloadRule { .between(0, bytes) }

  func allows(_ count: Int) -> Bool {
    switch self {
    case .exactly(let bytes): count == bytes
    case .between(let lower, let upper): count >= lower && count <= upper
    }
  }
}
