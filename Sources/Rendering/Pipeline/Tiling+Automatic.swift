import Autoencoders

extension Tiling {
  /// Tiles for pictures beyond about 1700 × 1700 pixels of FLUX. The bound is the same on every machine, as a picture
  /// must be.
  public static let automatic = Tiling.above(bytes: 6 << 30)
}
