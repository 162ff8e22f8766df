/// A token that is cut out of the text before the model sees it, such as `<|endoftext|>`.
///
/// Source: `AddedToken` in tokenizers (src/tokenizer/added_vocabulary.rs).
struct AddedToken: Sendable, Hashable {
  var content: String
  /// Only where no letter, digit or underscore stands beside it.
  var isSingleWord = false
  /// Takes the white space before it.
  var stripsLeft = false
  /// Takes the white space behind it.
  var stripsRight = false
  /// Looked for in the normalized text, in its own normalized form.
  var isNormalized: Bool
  var isSpecial: Bool

  init(_ content: String, isSpecial: Bool, isNormalized: Bool? = nil) {
    self.content = content
    self.isSpecial = isSpecial
    self.isNormalized = isNormalized ?? !isSpecial
  }

  static func == (left: AddedToken, right: AddedToken) -> Bool {
    left.content.utf8.elementsEqual(right.content.utf8) && left.isSingleWord == right.isSingleWord
      && left.stripsLeft == right.stripsLeft && left.stripsRight == right.stripsRight
      && left.isNormalized == right.isNormalized && left.isSpecial == right.isSpecial
  }

  func hash(into hasher: inout Hasher) {
    for byte in content.utf8 { hasher.combine(byte) }
  }
}
