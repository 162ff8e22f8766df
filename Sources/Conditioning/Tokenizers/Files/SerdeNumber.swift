/// Decimal numbers as Rust's `serde_json` reads them, the parser of `tokenizers`.
///
/// It is quick and not exact: the digits as a whole number, rounded, divided by a power of ten, rounded again. The last
/// bit of a score can come out differently from the nearest `Double`, and such a bit decides between ways to write a text
/// whose scores are equal: "aaa" as "aa" and "a" or the reverse.
enum SerdeNumber {
  /// The value that `serde_json` gives to the shortest text of `number`.
  static func value(_ number: Double) -> Double {
    var digits: UInt64 = 0
    var digitCount = 0
    var fractionCount = 0
    var isFraction = false
    let text = number.magnitude.description.utf8
    let mantissa = text.prefix { $0 != UInt8(ascii: "e") }
    for byte in mantissa {
      if byte == UInt8(ascii: ".") {
        isFraction = true
      } else {
        guard byte >= 0x30, byte <= 0x39, digitCount < 19 else { return number }
        digits = digits * 10 + UInt64(byte - 0x30)
        if digits > 0 { digitCount += 1 }
        if isFraction { fractionCount += 1 }
      }
    }
    let exponent = Int(String(decoding: text.dropFirst(mantissa.count + 1), as: UTF8.self)) ?? 0
    let scale = exponent - fractionCount
    guard scale.magnitude <= 300, let power = Double("1e\(scale.magnitude)") else { return number }
    let value = scale < 0 ? Double(digits) / power : Double(digits) * power
    return number.sign == .minus ? -value : value
  }
}
