import StrictJSON
import Testing

@testable import Conditioning

/// The ids of the reference harness, from transformers' fast tokenizers.
@Suite struct TokenizerReferenceTests {
  let reference: JSONValue
  let strings: [String]

  init() throws {
    reference = try TokenizerTestFiles.json("\(TokenizerTestFiles.fixtures)/reference/out/tokenizers.json")
    strings = try #require(reference["strings"]?.array).map { try #require($0.string) }
  }

  @Test(
    arguments: [
      ("clip_fast", TokenizerTestFiles.clip), ("t5_fast", TokenizerTestFiles.t5),
      ("clip_fast", "\(TokenizerTestFiles.checkpoints)/flux-schnell-tiny/tokenizer"),
      ("t5_fast", "\(TokenizerTestFiles.checkpoints)/flux-schnell-tiny/tokenizer_2"),
      ("llama_fast", TokenizerTestFiles.llama),
    ])
  func everyReferenceTextGivesTheReferenceIds(name: String, folder: String) throws {
    let tokenizer = try Tokenizer(folder: folder)
    for (index, text) in strings.enumerated() {
      let expected = try TokenizerTestFiles.ids(reference[name]?["ids"]?[index])
      #expect(tokenizer.encode(text) == expected, "\(text)")
    }
  }

  @Test func theT5ModelFileGivesTheSameIdsAsItsTokenizerFile() throws {
    let folder = try TokenizerTestFolder(
      copying: ["spiece.model", "tokenizer_config.json", "special_tokens_map.json"], of: TokenizerTestFiles.t5)
    let tokenizer = try Tokenizer(folder: folder.path)
    for (index, text) in strings.enumerated() {
      #expect(tokenizer.encode(text) == (try TokenizerTestFiles.ids(reference["t5_fast"]?["ids"]?[index])), "\(text)")
    }
  }

  @Test(
    arguments: [
      ("t5_padded_64", TokenizerTestFiles.t5, 64), ("llama_padded_48", TokenizerTestFiles.llama, 48),
      ("clip_padded_77", TokenizerTestFiles.clip, 77),
    ])
  func promptsAreCutAndPaddedAsThePipelinesDo(name: String, folder: String, length: Int) throws {
    let tokenizer = try Tokenizer(folder: folder)
    for (index, text) in strings.enumerated() {
      // The padded ids of CLIP were made by the slow tokenizer, which differs from the fast one for some texts.
      if name == "clip_padded_77", reference["clip_slow"]?["ids"]?[index] != reference["clip_fast"]?["ids"]?[index] {
        continue
      }
      let encoded = tokenizer.encode(text, maximumLength: length)
      #expect(encoded.ids == (try TokenizerTestFiles.ids(reference[name]?[index])), "\(text)")
    }
  }
}
