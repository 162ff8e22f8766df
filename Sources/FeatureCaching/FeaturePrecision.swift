/// In what the differences are kept that forecast the output of a branch. The output itself is always in float32.
public enum FeaturePrecision: String, Sendable, Hashable, CaseIterable {
  case float32
  /// In half of the memory, which is what forecasts wait for.
  case bfloat16

  var bytes: Int { self == .float32 ? MemoryLayout<Float>.stride : MemoryLayout<UInt16>.stride }
}
