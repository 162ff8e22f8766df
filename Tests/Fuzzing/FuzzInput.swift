/// An input of several parts, taken from its front. What is missing is zero.
struct FuzzInput {
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

  var isEmpty: Bool { bytes.isEmpty }

  mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

  /// Little-endian.
  mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) -> Number {
    (0..<Number.bitWidth / 8).reduce(0) { $0 | Number(truncatingIfNeeded: Int(byte())) << (8 * $1) }
  }

  /// So many bytes, or those that are left.
  mutating func part(_ count: Int) -> [UInt8] {
    defer { bytes = bytes.dropFirst(count) }
    return Array(bytes.prefix(count))
  }

  mutating func rest() -> [UInt8] { part(bytes.count) }

  /// The bytes up to a byte that separates, which goes too, or those that are left.
  mutating func part(upTo separator: UInt8) -> [UInt8] {
    let part = Array(bytes.prefix { $0 != separator })
    bytes = bytes.dropFirst(part.count + 1)
    return part
  }
}

/// Demands what a target promises; the program ends where it does not hold.
func demand(_ holds: Bool, _ what: String) {
  if !holds { fatalError(what) }
}
