import StrictJSON

/// CLIP's tokenizer as `vocab.json` and `merges.txt`.
///
/// Source: `CLIPTokenizer` in transformers (models/clip/tokenization_clip.py) for the files, `CLIPConverter`
/// (convert_slow_tokenizer.py) for what becomes of them.
struct CLIPFiles {
  private let vocabulary: JSONObject
  private let merges: [UInt8]
  private let vocabularyPath: String
  private let mergesPath: String

  /// CLIP reads no more merges than its own vocabulary has, however many there are.
  private static let maximumMergeCount = 49152 - 256 - 2

  /// Tokens that were added to `vocab.json` by hand; CLIP itself has two, its special tokens.
  private static let maximumUnmadeCount = 32

  /// nil if the folder has neither file.
  init?(_ folder: TokenizerFolder) throws(TokenizerError) {
    vocabularyPath = folder.path(of: "vocab.json")
    mergesPath = folder.path(of: "merges.txt")
    let json = try folder.json("vocab.json")
    let merges = try folder.bytes("merges.txt")
    if json == nil, merges == nil { return nil }
    guard let json else { throw TokenizerError(path: vocabularyPath, .missing) }
    guard let merges else { throw TokenizerError(path: mergesPath, .missing) }
    vocabulary = try TokenizerObject(json, name: "vocabulary", path: vocabularyPath).members
    self.merges = merges
  }

  func parts(_ configuration: TokenizerConfiguration) throws(TokenizerError) -> TokenizerParts {
    if let name = configuration.className, name != "CLIPTokenizer", name != "CLIPTokenizerFast" {
      throw TokenizerError(path: vocabularyPath, .unsupported("a vocab.json of the class \"\(name)\""))
    }
    let defaults = ClassDefaults.clip
    let unknown = configuration.content(of: .unknown) ?? ClassDefaults.clipEnd
    let begin = configuration.content(of: .begin) ?? ClassDefaults.clipBegin
    let end = configuration.content(of: .end) ?? ClassDefaults.clipEnd
    let model = try model(unknown: unknown)
    guard let beginID = model.id(of: begin) else {
      throw TokenizerError(path: vocabularyPath, .missingToken(begin, neededFor: "the begin of the text"))
    }
    guard let endID = model.id(of: end) else {
      throw TokenizerError(path: vocabularyPath, .missingToken(end, neededFor: "the end of the text"))
    }
    return TokenizerParts(
      path: vocabularyPath,
      normalizer: NormalizerSequence(normalizers: [
        NormalizationForm.canonicalComposition,
        ReplaceNormalizer(pattern: WhiteSpacePattern(), replacement: [0x20]), LowercaseNormalizer(),
      ]),
      preTokenizer: PreTokenizerSequence(preTokenizers: [
        SplitPreTokenizer(pattern: WordPattern.clip, behavior: .removed, isInverted: true),
        ByteLevelPreTokenizer(addsPrefixSpace: false, pattern: WordPattern.gpt2),
      ]),
      model: model, template: SpecialTokenTemplate(before: [beginID], behind: [endID]), defaults: defaults,
      normalizedRoles: [.begin, .end, .unknown])
  }

  private func model(unknown: String) throws(TokenizerError) -> BPEModel {
    let entries = try VocabularyJSON.entries(vocabulary, path: vocabularyPath)
    let merges = try mergePairs()
    do throws(TokenizerError.Problem) {
      let vocabulary = try Vocabulary(entries)
      guard vocabulary.id(of: unknown.utf8) != nil else { throw .missingToken(unknown, neededFor: "unknown text") }
      try checkCompleteness(entries, merges)
      return try BPEModel(vocabulary, merges: merges, BPEModel.Options(unknown: unknown, endOfWordSuffix: "</w>"))
    } catch {
      throw TokenizerError(path: vocabularyPath, error)
    }
  }

  /// Refuses a `merges.txt` that ends too early, between two lines: then many tokens are left that no merge makes.
  private func checkCompleteness(
    _ entries: [(key: [UInt8], id: Int32)], _ merges: [(left: [UInt8], right: [UInt8])]
  ) throws(TokenizerError.Problem) {
    let made = Set(merges.map { $0.left + $0.right })
    let suffix = Array("</w>".utf8)
    let unmade = entries.count { entry in
      let word =
        entry.key.suffix(suffix.count).elementsEqual(suffix) ? entry.key.dropLast(suffix.count) : entry.key[...]
      return !made.contains(entry.key) && (word.isEmpty || UTF8Text.length(first: word[0]) != word.count)
    }
    guard unmade <= Self.maximumUnmadeCount else {
      throw .malformed("has \(unmade) tokens that no merge of merges.txt makes; that file may have been cut")
    }
  }

  /// The pairs of the lines behind the first, which is a comment; of equal lines the first counts.
  private func mergePairs() throws(TokenizerError) -> [(left: [UInt8], right: [UInt8])] {
    guard String(validating: merges, as: UTF8.self) != nil else {
      throw TokenizerError(path: mergesPath, .malformed("is not valid UTF-8"))
    }
    var pairs: [(left: [UInt8], right: [UInt8])] = []
    var seen: Set<ArraySlice<UInt8>> = []
    var end = merges.endIndex
    while end > 0, merges[end - 1] == 0x0A || merges[end - 1] == 0x0D || merges[end - 1] == 0x20 { end -= 1 }
    let lines = merges[..<end].split(
      separator: 0x0A, maxSplits: Self.maximumMergeCount + 1, omittingEmptySubsequences: false)
    for (number, line) in lines.enumerated().dropFirst().prefix(Self.maximumMergeCount) {
      let line = line.last == 0x0D ? line.dropLast() : line
      let words = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 })
      guard words.count == 2 else {
        throw TokenizerError(path: mergesPath, .malformed("line \(number + 1) does not hold two tokens"))
      }
      guard seen.insert(line).inserted else { continue }
      pairs.append((Array(words[0]), Array(words[1])))
    }
    return pairs
  }
}
