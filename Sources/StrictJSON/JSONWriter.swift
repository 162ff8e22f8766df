extension JSONValue {
  /// The document as text: compact, or one member a line with two spaces of indent.
  public func text(pretty: Bool = false) -> String {
    var writer = JSONWriter(pretty: pretty)
    writer.write(self, indent: 0)
    return writer.text
  }
}

private struct JSONWriter {
  let pretty: Bool
  var text = ""

  mutating func write(_ value: JSONValue, indent: Int) {
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .string(let value): write(value)
    case .array(let values):
      write(values, "[", "]", indent: indent) { writer, value in writer.write(value, indent: indent + 1) }
    case .object(let members):
      write(Array(members), "{", "}", indent: indent) { writer, member in
        writer.write(member.key)
        writer.text += writer.pretty ? ": " : ":"
        writer.write(member.value, indent: indent + 1)
      }
    }
  }

  private mutating func write<Element>(
    _ elements: [Element], _ open: String, _ close: String, indent: Int,
    _ body: (inout JSONWriter, Element) -> Void
  ) {
    text += open
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      newLine(indent + 1)
      body(&self, element)
    }
    if !elements.isEmpty { newLine(indent) }
    text += close
  }

  private mutating func newLine(_ indent: Int) {
    if pretty { text += "\n" + String(repeating: "  ", count: indent) }
  }

  private mutating func write(_ string: String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\0"..<" ", "\u{7F}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
