extension Tensor {
  /// Whether all elements are numbers, and none is infinite.
  public var isFinite: Bool { withUnsafeElements { $0.allSatisfy(\.isFinite) } }
}
