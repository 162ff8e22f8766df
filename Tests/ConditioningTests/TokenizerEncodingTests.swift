import Testing

@testable import Conditioning

@Suite struct TokenizerEncodingTests {
  let clip: Tokenizer
  let t5: Tokenizer

  init() throws {
    clip = try Tokenizer(folder: TokenizerTestFiles.clip)
    t5 = try Tokenizer(folder: TokenizerTestFiles.t5)
  }

  @Test func theConfigurationSaysWhatPadsAndHowLongAPromptMayBe() {
    #expect(clip.padID == 813)
    #expect(clip.maximumLength == 77)
    #expect(clip.idLimit == 814)
    #expect(clip.id(of: "<|startoftext|>") == 812)
    #expect(clip.id(of: "no such token") == nil)
    #expect(t5.padID == 0)
    #expect(t5.maximumLength == 512)
    #expect(t5.idLimit == 462)
  }

  @Test func shortPromptsArePaddedBehindTheirEndToken() {
    let encoded = clip.encode("a", maximumLength: 6)
    #expect(encoded.ids == [812, 320, 813, 813, 813, 813])
    #expect(encoded.tokens == 0..<3)
    #expect(encoded.attentionMask == [1, 1, 1, 0, 0, 0])
    #expect(encoded.cutCount == 0)
    #expect(t5.encode("a", maximumLength: 4).ids == [17, 1, 0, 0])
    #expect(t5.encode("a", maximumLength: 4, padding: .none).ids == [17, 1])
    #expect(t5.encode("", maximumLength: 3).ids == [1, 0, 0])
  }

  @Test func longPromptsAreCutBeforeTheirEndTokenAndTheCutIsCounted() {
    let whole = clip.encode(String(repeating: "a ", count: 100))
    #expect(whole.count == 102)
    let encoded = clip.encode(String(repeating: "a ", count: 100), maximumLength: 77)
    #expect(encoded.ids == [812] + [Int32](repeating: 320, count: 75) + [813])
    #expect(encoded.cutCount == 25)
    #expect(encoded.tokens == 0..<77)
    #expect(t5.encode("a a a a", maximumLength: 3).ids == [17, 17, 1])
    #expect(t5.encode("a a a a", maximumLength: 3).cutCount == 2)
  }

  @Test(arguments: [-5, 0, 1, 2])
  func noLengthIsTooSmall(length: Int) {
    let encoded = clip.encode("a a a", maximumLength: length)
    #expect(encoded.ids == Array([812, 813].prefix(max(0, length))))
    #expect(encoded.cutCount == 3)
  }

  @Test func theSidesOfPaddingAndCuttingAreThoseOfTheConfiguration() throws {
    let folder = try TokenizerTestFolder(copying: ["spiece.model"], of: TokenizerTestFiles.t5)
    try folder.write(#"{"padding_side": "left", "truncation_side": "left"}"#, "tokenizer_config.json")
    let tokenizer = try Tokenizer(folder: folder.path)
    let short = tokenizer.encode("a", maximumLength: 4)
    #expect(short.ids == [0, 0, 17, 1])
    #expect(short.attentionMask == [0, 0, 1, 1])
    let whole = tokenizer.encode("hello world a cat")
    #expect(tokenizer.encode("hello world a cat", maximumLength: 4).ids == Array(whole.suffix(4)))
  }

  @Test func withoutAPaddingTokenNothingIsPadded() throws {
    let folder = try TokenizerTestFolder()
    try folder.write(
      #"{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}"#, "tokenizer.json")
    let tokenizer = try Tokenizer(folder: folder.path)
    #expect(tokenizer.padID == nil)
    // Characters that are not in the vocabulary vanish, since no token stands for unknown ones.
    #expect(tokenizer.encode("abcab!b", maximumLength: 9).ids == [2, 2, 1])
  }

  @Test(
    arguments: [
      "a", " ", "\n", "'", "\u{2581}", "\u{301}", "\u{FDFA}", "1", "👩\u{200D}", "<|endoftext|>", "<extra_id_0>",
      "a photo of a cat, ",
      "<|endoftext|",
    ])
  func aPromptOf100KilobytesTakesLittleTime(part: String) throws {
    let text = String(repeating: part, count: 100_000 / part.utf8.count)
    let llama = try Tokenizer(folder: TokenizerTestFiles.llama)
    let clock = ContinuousClock()
    for tokenizer in [clip, t5, llama] {
      let time = clock.measure { _ = tokenizer.encode(text) }
      // It is below 0.2 s; the limit leaves room for a busy machine, while quadratic time would be minutes.
      #expect(time < .seconds(5))
    }
  }
}
