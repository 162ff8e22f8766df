import Testing

@testable import Media

@Suite struct PictureMetadataTests {
  private static let picture = Result { try Picture(width: 2, height: 2, filledWith: .black) }

  @Test func bothFormsReturnFromTheFile() throws {
    let metadata = PictureMetadata(
      parameters: GenerationParameters(prompt: "猫\nSteps: 3,", settings: [.init("Steps", "4")]),
      clusca: ["seed": 42, "prompt": "\u{1B} 猫 \u{85}", "cache": ["cluster_num": 16, "k": 1]])
    let file = try PNG.encode(PictureMetadataTests.picture.get(), texts: metadata.texts())
    #expect(try PictureMetadata(png: file) == metadata)
    #expect(try PNG.texts(in: file).allSatisfy { !$0.text.unicodeScalars.contains { $0.isControl && $0 != "\n" } })
  }

  @Test func nothingIsWrittenForPrivacyWhenNothingIsGiven() throws {
    #expect(try PictureMetadata().texts().isEmpty)
    let file = try PNG.encode(PictureMetadataTests.picture.get())
    #expect(try PictureMetadata(png: file) == PictureMetadata())
  }

  @Test func otherKeysAreLeftAloneAndTheFirstOfEqualOnesCounts() throws {
    let metadata = try PictureMetadata(texts: [
      PNGText(key: "workflow", text: "{"), PNGText(key: "parameters", text: "one"),
      PNGText(key: "parameters", text: "two"),
    ])
    #expect(metadata.parameters?.prompt == "one")
    #expect(metadata.clusca == nil)
  }

  @Test(arguments: ["", "{", "{\"a\":1,\"a\":2}", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nonsense\u{1B}"])
  func brokenJSONIsAnErrorAndNoControlCharacterReachesTheTerminal(text: String) {
    let error = mediaError { _ = try PictureMetadata(texts: [PNGText(key: "clusca", text: text)]) }
    #expect(error?.description.unicodeScalars.contains { $0.isControl } == false)
  }
}
