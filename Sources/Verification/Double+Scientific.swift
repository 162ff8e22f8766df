import Glibc

extension Double {
  /// Two digits and the power of ten, such as "1.2e-06".
  package var scientific: String {
    guard isFinite, self != 0 else { return self == 0 ? "0" : "\(self)" }
    var exponent = Int(floor(log10(abs(self))))
    var tenths = Int((abs(self) / pow(10, Double(exponent)) * 10).rounded())
    if tenths >= 100 {
      exponent += 1
      tenths = 10
    }
    let digits = abs(exponent) < 10 ? "0\(abs(exponent))" : "\(abs(exponent))"
    return "\(self < 0 ? "-" : "")\(tenths / 10).\(tenths % 10)e\(exponent < 0 ? "-" : "+")\(digits)"
  }
}
