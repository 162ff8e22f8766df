/// When pictures are decoded in tiles.
public enum Tiling: Sendable, Hashable {
  /// Whole, as diffusers' pipelines do unless told otherwise.
  case never
  /// Always where a picture is larger than a tile (`enable_tiling`).
  case always
  /// Where decoding it whole would take more bytes than this beside the weights and what each thread takes.
  case above(bytes: Int)
}
