/// The special tokens that classes of transformers have when no file names them.
enum ClassDefaults {
  static let clipBegin = "<|startoftext|>"
  static let clipEnd = "<|endoftext|>"

  /// `CLIPTokenizer.__init__`.
  static let clip: [SpecialTokenRole: AddedToken] = [
    .begin: AddedToken(clipBegin, isSpecial: true, isNormalized: true),
    .end: AddedToken(clipEnd, isSpecial: true, isNormalized: true),
    .unknown: AddedToken(clipEnd, isSpecial: true, isNormalized: true),
    .pad: AddedToken(clipEnd, isSpecial: true, isNormalized: true),
  ]

  /// `T5Tokenizer.__init__`.
  static let t5: [SpecialTokenRole: AddedToken] = [
    .end: AddedToken("</s>", isSpecial: true),
    .unknown: AddedToken("<unk>", isSpecial: true),
    .pad: AddedToken("<pad>", isSpecial: true),
  ]
}
