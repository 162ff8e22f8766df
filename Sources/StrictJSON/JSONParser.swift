/// Why a document was refused, and where.
public struct JSONError: Error, Sendable, CustomStringConvertible {
  public let reason: String
  /// Byte offset into the document.
  public let offset: Int

  public var description: String { "\(reason) at byte \(offset)" }
}

/// Bounds that a document must keep before anything is built from it.
public struct JSONLimits: Sendable {
  public var maximumBytes: Int
  public var maximumDepth: Int
  /// Whether `NaN`, `Infinity` and `-Infinity` are numbers. JSON has none of them, but Python writes them, for example
  /// into the configurations of some of diffusers' schedulers.
  public var acceptsNonFiniteNumbers: Bool

  public init(maximumBytes: Int = 32 << 20, maximumDepth: Int = 32, acceptsNonFiniteNumbers: Bool = false) {
    self.maximumBytes = maximumBytes
    self.maximumDepth = maximumDepth
    self.acceptsNonFiniteNumbers = acceptsNonFiniteNumbers
  }
}

extension JSONValue {
  /// Parses one document (RFC 8259, UTF-8). Trailing white space is accepted, anything else behind the value is not.
  public init(parsing bytes: some Collection<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
    guard bytes.count <= limits.maximumBytes else {
      throw JSONError(reason: "\(bytes.count) bytes are more than the limit of \(limits.maximumBytes)", offset: 0)
    }
    var parser = JSONParser(bytes: ContiguousArray(bytes), limits: limits)
    self = try parser.document()
  }

  public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
    try self.init(parsing: text.utf8, limits: limits)
  }
}

private struct JSONParser {
  let bytes: ContiguousArray<UInt8>
  let limits: JSONLimits
  var offset = 0

  mutating func document() throws(JSONError) -> JSONValue {
    skipWhiteSpace()
    let value = try value(depth: 0)
    skipWhiteSpace()
    guard offset == bytes.count else { throw failure("unexpected text behind the document") }
    return value
  }

  private func failure(_ reason: String) -> JSONError { JSONError(reason: reason, offset: offset) }

  private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func skipWhiteSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws(JSONError) {
    guard next == byte else { throw failure("expected \(what)") }
    offset += 1
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth <= limits.maximumDepth else { throw failure("nested deeper than \(limits.maximumDepth) levels") }
    switch next {
    case UInt8(ascii: "{"): return try .object(object(depth: depth))
    case UInt8(ascii: "["): return try .array(array(depth: depth))
    case UInt8(ascii: "\""): return try .string(string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "N") where limits.acceptsNonFiniteNumbers: return try literal("NaN", .number(.nan))
    case UInt8(ascii: "I") where limits.acceptsNonFiniteNumbers: return try literal("Infinity", .number(.infinity))
    case nil: throw failure("the document ends too early")
    default: return try number()
    }
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    for index in 0..<text.utf8CodeUnitCount {
      guard next == text.utf8Start[index] else { throw failure("expected \(text)") }
      offset += 1
    }
    return value
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
    var object = JSONObject()
    offset += 1
    skipWhiteSpace()
    if next == UInt8(ascii: "}") {
      offset += 1
      return object
    }
    while true {
      let keyOffset = offset
      guard next == UInt8(ascii: "\"") else { throw failure("expected a member name") }
      let key = try string()
      guard object[key] == nil else {
        throw JSONError(reason: "the member \"\(key)\" stands twice", offset: keyOffset)
      }
      skipWhiteSpace()
      try expect(UInt8(ascii: ":"), "':'")
      skipWhiteSpace()
      object[key] = try value(depth: depth + 1)
      skipWhiteSpace()
      if next == UInt8(ascii: ",") {
        offset += 1
        skipWhiteSpace()
      } else {
        try expect(UInt8(ascii: "}"), "',' or '}'")
        return object
      }
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
    var array: [JSONValue] = []
    offset += 1
    skipWhiteSpace()
    if next == UInt8(ascii: "]") {
      offset += 1
      return array
    }
    while true {
      array.append(try value(depth: depth + 1))
      skipWhiteSpace()
      if next == UInt8(ascii: ",") {
        offset += 1
        skipWhiteSpace()
      } else {
        try expect(UInt8(ascii: "]"), "',' or ']'")
        return array
      }
    }
  }

  private mutating func string() throws(JSONError) -> String {
    offset += 1
    var text: [UInt8] = []
    let start = offset
    while true {
      guard let byte = next else { throw failure("a string does not end") }
      switch byte {
      case UInt8(ascii: "\""):
        offset += 1
        guard let string = String(validating: text, as: UTF8.self) else {
          throw JSONError(reason: "a string is not valid UTF-8", offset: start)
        }
        return string
      case UInt8(ascii: "\\"):
        offset += 1
        try text.append(contentsOf: escape())
      case 0..<0x20:
        throw failure("a control character stands in a string")
      default:
        text.append(byte)
        offset += 1
      }
    }
  }

  /// The UTF-8 of the escape behind a backslash.
  private mutating func escape() throws(JSONError) -> [UInt8] {
    guard let byte = next else { throw failure("a string does not end") }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      let unit = try codeUnit()
      guard (0xD800..<0xE000).contains(unit) else {
        guard let scalar = Unicode.Scalar(unit) else { throw failure("an escape is no character") }
        return Array(UTF8.encode(scalar)!)
      }
      guard unit < 0xDC00, next == UInt8(ascii: "\\") else { throw failure("half of a surrogate pair") }
      offset += 1
      try expect(UInt8(ascii: "u"), "the second half of a surrogate pair")
      let low = try codeUnit()
      guard (0xDC00..<0xE000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
      else { throw failure("half of a surrogate pair") }
      return Array(UTF8.encode(scalar)!)
    default: throw failure("an unknown escape")
    }
  }

  private mutating func codeUnit() throws(JSONError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("expected four hexadecimal digits")
      }
      unit = unit << 4 | UInt32(digit)
      offset += 1
    }
    return unit
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = offset
    if next == UInt8(ascii: "-") { offset += 1 }
    if limits.acceptsNonFiniteNumbers, next == UInt8(ascii: "I") {
      return try literal("Infinity", .number(-.infinity))
    }
    let leadingZero = next == UInt8(ascii: "0")
    let whole = digits()
    guard whole > 0, !(leadingZero && whole > 1) else { throw failure("expected a value") }
    var isWhole = true
    if next == UInt8(ascii: ".") {
      offset += 1
      isWhole = false
      guard digits() > 0 else { throw failure("expected digits behind '.'") }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      offset += 1
      isWhole = false
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { offset += 1 }
      guard digits() > 0 else { throw failure("expected digits in the exponent") }
    }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    if isWhole, let integer = Int(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else {
      throw JSONError(reason: "the number \(text) is out of range", offset: start)
    }
    return .number(number)
  }

  private mutating func digits() -> Int {
    let start = offset
    while let byte = next, byte >= 0x30, byte <= 0x39 { offset += 1 }
    return offset - start
  }
}
