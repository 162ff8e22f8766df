/// In which numbers products are computed.
public enum Precision: String, Sendable, CaseIterable {
  /// The exact mode: weights and products in float32.
  case float32
  /// The fast mode: weights and inputs of products in bfloat16, sums, residual stream and everything else in float32.
  case bfloat16
  /// The fastest mode: weights and inputs of the blocks' products in 8 bits, with a scale for each output and each row; what
  /// stands around the blocks, and their attention, as in ``bfloat16``.
  case int8

  /// The bytes of a weight.
  public var weightBytes: Int {
    switch self {
    case .float32: 4
    case .bfloat16: 2
    case .int8: 1
    }
  }

  /// For maps that are few beside those of the blocks, and whose errors every block would inherit.
  public var ofSensitiveMaps: Precision { self == .int8 ? .bfloat16 : self }
}
