/// The float32 logarithm, sine and cosine behind torch's normal numbers, bit for bit.
///
/// On x86 with AVX2 torch does not use the C library here but the Cephes polynomials (S. Moshier, "Methods and Programs
/// for Mathematical Functions"; constants of logf.c and sinf.c), and its compiler has fused some products with the sums
/// behind them. Which ones decides the last bit, so they are written out: `c.addingProduct(a, b)` is one fused a·b + c,
/// by the processor or, where it has no such instruction, by the C library.
enum CephesFunctions {
  /// The natural logarithm of a positive normal number.
  @inline(__always)
  static func log(_ value: Float) -> Float {
    var exponent = Float(Int32(bitPattern: value.bitPattern >> 23) - 126)
    // The fraction, in 0.5..<1.
    var x = Float(bitPattern: value.bitPattern & 0x007F_FFFF | 0x3F00_0000)
    if x < 0.707106781186547524 {
      exponent -= 1
      x += x
    }
    x -= 1
    let z = x * x
    var y: Float = 7.0376836292e-2
    y = fused(y, x, -1.1514610310e-1)
    y = fused(y, x, 1.1676998740e-1)
    y = fused(y, x, -1.2420140846e-1)
    y = fused(y, x, 1.4249322787e-1)
    y = fused(y, x, -1.6668057665e-1)
    y = fused(y, x, 2.0000714765e-1)
    y = fused(y, x, -2.4999993993e-1)
    y = fused(y, x, 3.3333331174e-1)
    y *= x
    y = fused(y, z, exponent * -2.12194440e-4)
    y = fused(-z, 0.5, y)
    return fused(exponent, 0.693359375, x + y)
  }

  /// The sine and cosine of an angle from zero on.
  @inline(__always)
  static func sineAndCosine(_ angle: Float) -> (sine: Float, cosine: Float) {
    // The octant, made even.
    let octant = (Int32(angle * 1.27323954473516) + 1) & ~1
    let turns = Float(octant)
    // Subtracts octant·π/4 in three parts.
    var x = fused(turns, -0.78515625, angle)
    x = fused(turns, -2.4187564849853515625e-4, x)
    x = fused(turns, -3.77489497744594108e-8, x)
    let z = x * x

    var cosine: Float = fused(2.443315711809948e-5, z, -1.388731625493765e-3)
    cosine = fused(cosine, z, 4.166664568298827e-2)
    cosine *= z
    cosine = fused(cosine, z, -(z * 0.5))
    cosine += 1

    var sine: Float = fused(-1.9515295891e-4, z, 8.3321608736e-3)
    sine = fused(sine, z, -1.6666654611e-1)
    sine *= z
    sine = fused(sine, x, x)

    if octant & 2 != 0 { swap(&sine, &cosine) }
    let sineSign = UInt32(bitPattern: octant & 4) << 29
    let cosineSign = UInt32(bitPattern: ~(octant - 2) & 4) << 29
    return (Float(bitPattern: sine.bitPattern ^ sineSign), Float(bitPattern: cosine.bitPattern ^ cosineSign))
  }

  /// a·b + c with one rounding: by one instruction or, where the compiler may not use it, by the C library.
  @inline(__always)
  private static func fused(_ a: Float, _ b: Float, _ c: Float) -> Float { c.addingProduct(a, b) }
}
