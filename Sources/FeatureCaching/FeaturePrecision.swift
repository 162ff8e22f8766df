/// In what numbers are kept that forecasts are made of.
public enum FeaturePrecision: String, Sendable, Hashable, CaseIterable {
  case float32
  /// In half of the memory, which is what forecasts wait for.
  case bfloat16

  /// Those of a number.
  public var bytes: Int { self == .float32 ? MemoryLayout<Float>.stride : MemoryLayout<UInt16>.stride }
}

/// In what a Taylor series is kept.
public struct SeriesPrecision: Sendable, Hashable {
  /// Of the branch's output, order 0. A full step itself goes on with the output as it was computed.
  public var output: FeaturePrecision
  public var differences: FeaturePrecision

  public init(output: FeaturePrecision = .float32, differences: FeaturePrecision = .float32) {
    (self.output, self.differences) = (output, differences)
  }
}
