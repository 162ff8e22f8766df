/// The special tokens round a text: what all post-processors of tokenizer.json come down to for a single text.
struct SpecialTokenTemplate: Sendable, Hashable {
  var before: [Int32] = []
  var behind: [Int32] = []

  var ids: [Int32] { before + behind }

  /// This template applied first, `outer` round its result.
  func inside(_ outer: SpecialTokenTemplate) -> SpecialTokenTemplate {
    SpecialTokenTemplate(before: outer.before + before, behind: behind + outer.behind)
  }
}
