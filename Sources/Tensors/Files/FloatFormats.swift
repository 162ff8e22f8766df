/// Conversions between float32 and the narrower formats that weights are stored in, by their bits.
///
/// Widening is exact. It is written with integer arithmetic, without branches, so that loops over it become vector
/// instructions on every x86-64 processor. Narrowing rounds to the nearest value, ties to the even one.
extension Float {
  /// The value of a bfloat16.
  @inlinable @inline(__always)
  public init(bfloat16Bits bits: UInt16) {
    self.init(bitPattern: UInt32(bits) << 16)
  }

  /// The value of an IEEE 754 binary16, subnormal numbers, infinities and NaNs included.
  @inlinable @inline(__always)
  public init(float16Bits bits: UInt16) {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7FFF) << 13
    // As a float32 the shifted bits are 2^112 times too small: the exponent biases are 127 and 15.
    let finite = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
    self.init(bitPattern: sign | (magnitude >= 0x7C00 << 13 ? magnitude | 0x7F80_0000 : finite))
  }

  /// The value of an FP8 E4M3 in its finite kind: bias 7, subnormals in steps of 2^-9, largest value 448; 0x7F and 0xFF
  /// are NaN, and there is no infinity.
  ///
  /// Source: Micikevicius et al., "FP8 Formats for Deep Learning", 2022, table 1.
  @inlinable @inline(__always)
  public init(float8E4M3Bits bits: UInt8) {
    let sign = UInt32(bits & 0x80) << 24
    let magnitude = UInt32(bits & 0x7F) << 20
    let finite = (Float(bitPattern: magnitude) * 0x1p120).bitPattern
    self.init(bitPattern: sign | (magnitude == 0x7F << 20 ? 0x7FC0_0000 : finite))
  }

  /// The value of an FP8 E5M2, which is a binary16 without its lower 8 bits of fraction.
  @inlinable @inline(__always)
  public init(float8E5M2Bits bits: UInt8) {
    self.init(float16Bits: UInt16(bits) << 8)
  }

  /// The nearest bfloat16. A NaN stays a NaN; what is too large becomes infinite.
  @inlinable @inline(__always)
  public var bfloat16Bits: UInt16 {
    let bits = bitPattern
    if isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  /// The nearest binary16.
  @inlinable
  public var float16Bits: UInt16 {
    let sign = UInt16(truncatingIfNeeded: bitPattern >> 16) & 0x8000
    let size = magnitude
    if isNaN { return sign | 0x7E00 }
    // From halfway between the largest finite number, 65504, and 2^16 on.
    if size >= 65520 { return sign | 0x7C00 }
    // Subnormal numbers are steps of 2^-24; adding 0.5, whose last place is 2^-24, makes the processor round to them.
    if size < 0x1p-14 { return sign | UInt16(truncatingIfNeeded: (size + 0.5).bitPattern &- 0x3F00_0000) }
    let bits = size.bitPattern &- (112 << 23)
    return sign | UInt16(truncatingIfNeeded: (bits &+ 0xFFF &+ (bits >> 13 & 1)) >> 13)
  }
}
