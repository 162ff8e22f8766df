import StrictJSON

/// Reads the `model` of a tokenizer.json.
enum ModelReader {
  static func model(_ object: TokenizerObject) throws(TokenizerError) -> any TokenModel {
    // Files from before 2021 do not name the type of BPE.
    switch try object.optionalString("type") ?? (object.value("merges") == nil ? "" : "BPE") {
    case "BPE": return try bpe(object)
    case "Unigram": return try unigram(object)
    default: throw try object.unknownType
    }
  }

  private static func bpe(_ object: TokenizerObject) throws(TokenizerError) -> BPEModel {
    if let dropout = object.value("dropout"), dropout.double != 0 {
      throw object.failure(.unsupported(object.describe("dropout")))
    }
    var options = BPEModel.Options()
    // An empty text stands for none.
    options.unknown = try object.optionalString("unk_token").flatMap { $0.isEmpty ? nil : $0 }
    options.subwordPrefix = try affix("continuing_subword_prefix", object)
    options.endOfWordSuffix = try affix("end_of_word_suffix", object)
    options.fusesUnknown = try object.bool("fuse_unk", default: false)
    options.fallsBackToBytes = try object.bool("byte_fallback", default: false)
    options.ignoresMerges = try object.bool("ignore_merges", default: false)
    guard let members = try object.required("vocab", "an object").object else {
      throw object.malformed("vocab", "an object")
    }
    let entries = try VocabularyJSON.entries(members, path: object.path)
    let merges = try merges(object)
    return try object.naming { () throws(TokenizerError.Problem) in
      try BPEModel(Vocabulary(entries), merges: merges, options)
    }
  }

  private static func affix(_ key: String, _ object: TokenizerObject) throws(TokenizerError) -> String {
    object.value(key) == nil ? "" : String(decoding: try object.shortText(key), as: UTF8.self)
  }

  /// Merges are texts with a space between the two tokens, or since 2024 lists of two.
  private static func merges(_ object: TokenizerObject) throws(TokenizerError) -> [(left: [UInt8], right: [UInt8])] {
    var merges: [(left: [UInt8], right: [UInt8])] = []
    for json in try object.array("merges") {
      if let text = json.string {
        if text.hasPrefix("#version") { continue }
        let words = Array(text.utf8).split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 2 else { throw object.malformed("merges", "a list of pairs of tokens") }
        merges.append((Array(words[0]), Array(words[1])))
      } else if let pair = json.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string {
        merges.append((Array(left.utf8), Array(right.utf8)))
      } else {
        throw object.malformed("merges", "a list of pairs of tokens")
      }
    }
    guard merges.count <= 2 * Vocabulary.maximumCount else {
      throw object.failure(.malformed("has more than \(2 * Vocabulary.maximumCount) merges"))
    }
    return merges
  }

  private static func unigram(_ object: TokenizerObject) throws(TokenizerError) -> UnigramModel {
    guard object.value("unk_id") != nil else {
      throw object.failure(.unsupported("a model \"Unigram\" without \"unk_id\", which cannot write every text,"))
    }
    var pieces: [(token: [UInt8], score: Double)] = []
    for json in try object.array("vocab") {
      guard let pair = json.array, pair.count == 2, let token = pair[0].string, let score = pair[1].double else {
        throw object.malformed("vocab", "a list of pairs of token and score")
      }
      pieces.append((Array(token.utf8), SerdeNumber.value(score)))
    }
    let unknownID = try object.integer("unk_id")
    let fallsBack = try object.bool("byte_fallback", default: false)
    return try object.naming { () throws(TokenizerError.Problem) in
      try UnigramModel(pieces, unknownID: unknownID, fallsBackToBytes: fallsBack)
    }
  }
}
