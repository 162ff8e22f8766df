/// Bounds that a PNG from a stranger must keep; all are checked before memory is set aside for what they bound.
public struct PNGLimits: Sendable, Equatable {
  /// The most bytes of a file that is read from disk.
  public var maximumFileBytes: Int
  /// The longest side in pixels.
  public var maximumSide: Int
  /// The most pixels. Decoding takes up to seven bytes for each.
  public var maximumPixels: Int
  /// The most bytes of one text entry, key included.
  public var maximumTextBytes: Int
  /// The most text entries.
  public var maximumTexts: Int

  public init(
    maximumFileBytes: Int = 1 << 30, maximumSide: Int = Picture.maximumSide,
    maximumPixels: Int = Picture.maximumPixels, maximumTextBytes: Int = 1 << 20, maximumTexts: Int = 256
  ) {
    self.maximumFileBytes = maximumFileBytes
    self.maximumSide = maximumSide
    self.maximumPixels = maximumPixels
    self.maximumTextBytes = maximumTextBytes
    self.maximumTexts = maximumTexts
  }
}
