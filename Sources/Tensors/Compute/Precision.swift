/// In which numbers products are computed.
public enum Precision: String, Sendable, CaseIterable {
  /// The exact mode: weights and products in float32.
  case float32
  /// The fast mode: weights and inputs of products in bfloat16, sums, residual stream and everything else in float32.
  case bfloat16
}
