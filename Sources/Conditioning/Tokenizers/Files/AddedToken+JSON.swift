import StrictJSON

extension AddedToken {
  /// Reads a token as tokenizer.json and tokenizer_config.json write it.
  init(_ object: TokenizerObject) throws(TokenizerError) {
    let content = try object.string("content")
    let isSpecial = try object.bool("special", default: false)
    self.init(content, isSpecial: isSpecial, isNormalized: try object.bool("normalized", default: !isSpecial))
    isSingleWord = try object.bool("single_word", default: false)
    stripsLeft = try object.bool("lstrip", default: false)
    stripsRight = try object.bool("rstrip", default: false)
  }
}
