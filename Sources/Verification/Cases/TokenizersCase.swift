import Conditioning
import Files
import StrictJSON
import Tensors

/// The token ids of `out/tokenizers.json`: texts, and what transformers' tokenizers make of each.
enum TokenizersCase {
  static func exists(root: String) -> Bool { Folder.isRegularFile(path(root)) }

  static func run(root: String) -> CaseOutcome {
    var outcome = CaseOutcome(name: Verification.tokenizersCase, failures: [])
    do {
      let file = try PartConfiguration(path: path(root))
      guard let texts = file.json["strings"]?.array?.map(\.string), !texts.contains(nil) else {
        throw file.error("strings", "is no list of texts")
      }
      let recording = TokenizerRecording(json: file.json, texts: texts.compactMap { $0 }, root: root)
      for tokenizer in RecordedTokenizer.all { try recording.compare(tokenizer, &outcome) }
      try recording.compareTemplate(&outcome)
    } catch {
      outcome.failures.append("\(error)")
    }
    return outcome
  }

  private static func path(_ root: String) -> String { "\(root)/out/tokenizers.json" }
}

/// A tokenizer of the file, and the members that its padded ids and their masks have there.
struct RecordedTokenizer {
  let name: String
  /// NAME_LENGTH: cut and padded to this length.
  let padded: (ids: String, mask: String?, length: Int)
  /// The slow tokenizer whose padded ids were recorded instead, if so.
  let slow: String?

  static let all = [
    RecordedTokenizer(name: "clip_fast", padded: ("clip_padded_77", nil, 77), slow: "clip_slow"),
    RecordedTokenizer(name: "t5_fast", padded: ("t5_padded_64", nil, 64), slow: nil),
    RecordedTokenizer(name: "llama_fast", padded: ("llama_padded_48", "llama_mask_48", 48), slow: nil),
  ]
}
