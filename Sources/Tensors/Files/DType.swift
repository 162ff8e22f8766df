/// The element types of a stored tensor, under the names that safetensors files use.
///
/// Source: the `Dtype` list of the safetensors format. Its packed types (less than a byte an element), its complex type
/// and its scale type are left out: no checkpoint that clusca reads holds them, so a file with one is refused.
public enum DType: String, Sendable, Hashable, CaseIterable {
  case float64 = "F64"
  case float32 = "F32"
  case float16 = "F16"
  /// The upper half of a float32: 8 bits of exponent, 7 of fraction.
  case bfloat16 = "BF16"
  /// 4 bits of exponent, 3 of fraction, no infinities (the "FN" kind); see ``Swift/Float/init(float8E4M3Bits:)``.
  case float8E4M3 = "F8_E4M3"
  /// The upper half of a float16: 5 bits of exponent, 2 of fraction.
  case float8E5M2 = "F8_E5M2"
  case int64 = "I64"
  case int32 = "I32"
  case int16 = "I16"
  case int8 = "I8"
  case uint64 = "U64"
  case uint32 = "U32"
  case uint16 = "U16"
  case uint8 = "U8"
  case bool = "BOOL"

  /// Bytes an element.
  public var byteCount: Int {
    switch self {
    case .float64, .int64, .uint64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float8E4M3, .float8E5M2, .int8, .uint8, .bool: 1
    }
  }

  /// Whether elements are floating-point numbers; the others are whole numbers, `bool` among them.
  public var isFloatingPoint: Bool {
    switch self {
    case .float64, .float32, .float16, .bfloat16, .float8E4M3, .float8E5M2: true
    case .int64, .int32, .int16, .int8, .uint64, .uint32, .uint16, .uint8, .bool: false
    }
  }
}
