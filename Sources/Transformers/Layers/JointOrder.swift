/// Which stream comes first where picture and text are joined.
enum JointOrder: Sendable {
  /// FLUX
  case textFirst
  /// HunyuanVideo
  case imageFirst

  /// The rows of so many image tokens among all, beside so many of text.
  func imageRows(_ image: Int, _ text: Int) -> Range<Int> {
    self == .textFirst ? text..<text + image : 0..<image
  }

  /// The rows of the text.
  func textRows(_ image: Int, _ text: Int) -> Range<Int> {
    self == .textFirst ? 0..<text : image..<image + text
  }

  /// What belongs to the two, in their order.
  func sorted<Value>(image: Value, text: Value) -> [Value] {
    self == .textFirst ? [text, image] : [image, text]
  }
}
