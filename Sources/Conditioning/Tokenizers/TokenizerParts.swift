/// What the files of a tokenizer hold, before the added tokens of its configuration.
struct TokenizerParts: Sendable {
  /// The file it comes from, for messages.
  var path: String
  var addedVocabulary = AddedVocabulary()
  var normalizer: (any Normalizer)?
  var preTokenizer: (any PreTokenizer)?
  var model: any TokenModel
  var template = SpecialTokenTemplate()
  /// The special tokens that the tokenizer's class in transformers has when the configuration names none.
  var defaults: [SpecialTokenRole: AddedToken] = [:]
  /// The roles whose tokens are looked for in normalized text when the configuration gives only their text.
  var normalizedRoles: Set<SpecialTokenRole> = []
}
