/// How a denoising step is computed.
public enum StepKind: Sendable, Hashable {
  /// Every block, every token.
  case full
  /// From the features of the last full step, so many steps ago (1 or more).
  case cached(distance: Int)

  public var isFull: Bool { self == .full }
}
