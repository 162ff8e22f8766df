import Glibc

/// The exponential function in float32 as torch's builds for x86 have it, whose results feed the models' sinusoids.
///
/// Perhaps it is from a vector library, which rounds a few results differently from the C library: correct within
/// 0.52 units of the last place instead of 0.50. The formulation here, found by experiment, gives all frequencies of
/// torch 2.13 with shift 1 and, with shift 0, all but one of 5·10⁻⁴: e^x = 2^(n/128) · e^r, the first factor from a table
/// of two float32 numbers each, the second as 1 + r + r²/2.
enum TableExponential {
  private static let size = 128

  /// 2^(i/128), rounded, and what the rounding took.
  private static let table: [(high: Float, low: Float)] = (0..<size).map { index in
    let value = exp2(Double(index) / Double(size))
    return (Float(value), Float(value - Double(Float(value))))
  }

  /// ln 2 / 128 in two parts.
  private static let step: (high: Float, low: Float) = {
    let exact = log(2) / Double(size)
    return (Float(exact), Float(exact - Double(Float(exact))))
  }()

  /// e^x for |x| < 80.
  static func exp(_ x: Float) -> Float {
    precondition(abs(x) < 80, "the exponential would leave the normal numbers")
    let multiple = (x * Float(Double(size) / log(2))).rounded(.toNearestOrEven)
    let rest = x.addingProduct(-multiple, step.high).addingProduct(-multiple, step.low)
    let growth = rest.addingProduct(rest * rest, 0.5)
    let index = Int(multiple) & (size - 1)
    let power = (Int(multiple) - index) / size
    let (high, low) = table[index]
    return Float(sign: .plus, exponent: power, significand: high + low.addingProduct(high, growth))
  }
}
