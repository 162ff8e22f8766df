extension Unicode.Scalar {
  /// C0, delete and C1: what moves a terminal's cursor, or ends a text in C, and has no picture of its own.
  var isControl: Bool { value < 0x20 || (0x7F..<0xA0).contains(value) }
}

extension String {
  /// The text with control characters as `\u001b`, so that a file name or a prompt from a stranger cannot steer a
  /// terminal. The scalars in `kept` stay as they are. Meant for eyes: nothing turns the escapes back.
  func withControlsEscaped(keeping kept: Set<Unicode.Scalar> = []) -> String {
    guard unicodeScalars.contains(where: { $0.isControl && !kept.contains($0) }) else { return self }
    var escaped = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      guard scalar.isControl, !kept.contains(scalar) else {
        escaped.append(scalar)
        continue
      }
      let digits = String(scalar.value, radix: 16)
      escaped.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
    }
    return String(escaped)
  }
}
