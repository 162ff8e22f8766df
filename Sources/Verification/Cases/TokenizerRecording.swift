import Conditioning
import Files
import StrictJSON
import Tensors

/// What `out/tokenizers.json` holds.
struct TokenizerRecording {
  let json: JSONValue
  let texts: [String]
  let root: String

  /// Compares the ids of all texts: alone, and cut or padded to the recorded length.
  func compare(_ recorded: RecordedTokenizer, _ outcome: inout CaseOutcome) throws {
    guard let tokenizer = try tokenizer(recorded.name) else {
      outcome.remarks.append("\(recorded.name) was left out: its checkpoint is not here")
      return
    }
    let expected = try lists(recorded.name, json[recorded.name]?["ids"])
    for (text, ids) in zip(texts, expected) {
      compare(recorded.name, text, tokenizer.encode(text), ids, &outcome)
    }

    let (name, mask, length) = recorded.padded
    let padded = try lists(name, json[name])
    let masks = try mask.map { try lists($0, json[$0]) }
    let slow = try recorded.slow.map { try lists($0, json[$0]?["ids"]) }
    var leftOut = 0
    for (index, text) in texts.enumerated() {
      // The fast tokenizers are ours to follow; where the slow one differs, its padded ids are not.
      if let slow, slow[index] != expected[index] {
        leftOut += 1
        continue
      }
      let encoded = tokenizer.encode(text, maximumLength: length)
      compare(name, text, encoded.ids, padded[index], &outcome)
      if let mask, let masks { compare(mask, text, encoded.attentionMask, masks[index], &outcome) }
    }
    if leftOut > 0, let slow = recorded.slow {
      outcome.remarks.append(
        "\(leftOut) of the \(texts.count) lists of \(name) were left out: \(slow) made them, which differs there from "
          + recorded.name)
    }
  }

  /// HunyuanVideo's template, as it is and round the prompt of the other cases.
  func compareTemplate(_ outcome: inout CaseOutcome) throws {
    guard let template = json["hunyuan_template"]?.string, let tokenizer = try tokenizer("llama_fast") else { return }
    compare(
      "hunyuan_template_ids", template, tokenizer.encode(template),
      try list("hunyuan_template_ids", json["hunyuan_template_ids"]), &outcome)
    let prompts = texts.map { template.replacing("{}", with: $0) }
    let expected = try list("hunyuan_prompt_ids", json["hunyuan_prompt_ids"])
    outcome.tensors += 1
    if !prompts.contains(where: { tokenizer.encode($0) == expected }) {
      outcome.failures.append("hunyuan_prompt_ids are the ids of none of the texts in the template")
    }
  }

  /// The tokenizer of that name; nil if its checkpoint is not below the root.
  private func tokenizer(_ name: String) throws -> Tokenizer? {
    guard let checkpoint = json[name]?["checkpoint"]?.string else { return nil }
    let folder = "\(root)/checkpoints/\(checkpoint)"
    return Folder.isFolder(folder) ? try Tokenizer(folder: folder) : nil
  }

  private func compare(
    _ name: String, _ text: String, _ ids: [Int32], _ expected: [Int32], _ outcome: inout CaseOutcome
  ) {
    outcome.tensors += 1
    guard ids != expected else { return }
    let place = zip(ids, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    outcome.failures.append(
      "\(name) of \"\(text.printable(limit: 40))\" differs from id \(place ?? min(ids.count, expected.count)) on")
  }

  private func lists(_ name: String, _ json: JSONValue?) throws -> [[Int32]] {
    let lists = try json?.array?.map { try list(name, $0) }
    guard let lists, lists.count == texts.count else { throw malformed(name) }
    return lists
  }

  private func list(_ name: String, _ json: JSONValue?) throws -> [Int32] {
    let ids = json?.array?.map { $0.int.flatMap { Int32(exactly: $0) } }
    guard let ids, !ids.contains(nil) else { throw malformed(name) }
    return ids.compactMap { $0 }
  }

  private func malformed(_ name: String) -> FileError {
    FileError(path: "\(root)/out/tokenizers.json", reason: "\"\(name)\" is no list of ids for each text")
  }
}
