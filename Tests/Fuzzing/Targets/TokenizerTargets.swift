import Conditioning

/// The files of tokenizers, and texts for those that can be read. Files and text are separated by zero bytes.
enum TokenizerTargets {
  /// tokenizer.json, tokenizer_config.json, text.
  static func tokenizer(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    encode(&input, ["tokenizer.json", "tokenizer_config.json"])
  }

  /// vocab.json, merges.txt, tokenizer_config.json, special_tokens_map.json, added_tokens.json, text.
  static func clip(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    encode(
      &input, ["vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"])
  }

  /// A byte for the length of the text, the text, then spiece.model.
  static func sentencePiece(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let text = input.part(Int(input.byte()))
    ScratchFolder.shared.hold([
      "spiece.model": input.rest(), "tokenizer_config.json": Array(#"{"extra_ids": 2}"#.utf8),
    ])
    encode(text)
  }

  private static func encode(_ input: inout FuzzInput, _ names: [String]) {
    var files: [String: [UInt8]] = [:]
    for name in names {
      let file = input.part(upTo: 0)
      if !file.isEmpty { files[name] = file }
    }
    ScratchFolder.shared.hold(files)
    encode(input.rest())
  }

  private static func encode(_ text: [UInt8]) {
    let tokenizer: Tokenizer
    do {
      tokenizer = try Tokenizer(folder: ScratchFolder.shared.path)
    } catch {
      demand(error.description.utf8.count < 4000, "A long error")
      return
    }
    // Behind it what has all kinds of characters.
    let text = String(decoding: text, as: UTF8.self) + "A photo of  a cat, 42!\u{301}\n "
    let ids = tokenizer.encode(text)
    demand(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.idLimit }, "An id is out of range")
    let cut = tokenizer.encode(text, maximumLength: 7)
    demand(cut.ids.count <= 7, "A text is longer than it may be")
    demand(cut.tokens.upperBound <= cut.ids.count, "More tokens than ids")
  }
}
