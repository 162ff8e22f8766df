/// A part of the normalized text on its way to the model, in UTF-8.
struct TextPiece: Sendable {
  var bytes: ArraySlice<UInt8>
  /// Whether the whole text begins with it, not with an added token or another piece.
  var isAtStart: Bool

  init(_ bytes: ArraySlice<UInt8>, isAtStart: Bool) {
    self.bytes = bytes
    self.isAtStart = isAtStart
  }
}
