/// How normal numbers in bfloat16 and float16 come about, which torch has changed; float32 and float64 stayed the same.
public enum TorchNoise: Sendable, Hashable {
  /// Computed in float32 and rounded at the end, sixteen at a time; observed in torch 2.13 and 2.15.
  case current
  /// Every operation rounded to the format, from uniform numbers of only 8 or 11 bits; observed in torch 2.6,
  /// and still in the source of 2.10.
  case legacy
}

/// The formats in which normal numbers can be drawn as `Float`; every result is exactly a value of the format.
public enum NoiseFormat: Sendable, Hashable {
  case float32
  case bfloat16
  case float16

  /// `value` rounded to the nearest of this format.
  @inline(__always)
  func round(_ value: Float) -> Float {
    switch self {
    case .float32: value
    case .bfloat16: Float(bfloat16Bits: value.bfloat16Bits)
    case .float16: Float(float16Bits: value.float16Bits)
    }
  }

  /// Bits of precision, the hidden one included.
  var precision: Int {
    switch self {
    case .float32: 24
    case .bfloat16: 8
    case .float16: 11
    }
  }
}
