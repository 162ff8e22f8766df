import Testing

@testable import Media

@Suite struct GenerationParametersTests {
  private static let settings: [GenerationParameters.Setting] = [
    .init("Steps", "28"), .init("Sampler", "Euler"), .init("Schedule type", "Simple"), .init("CFG scale", "1"),
    .init("Distilled CFG Scale", "3.5"), .init("Seed", "42"), .init("Size", "1024x1024"), .init("Model", "flux1-dev"),
    .init("RNG", "CPU"), .init("Version", "clusca 0.1"),
  ]

  @Test func theFormIsThatOfA1111() throws {
    let parameters = GenerationParameters(
      prompt: "a cat\non a mat", negativePrompt: "blurry", settings: GenerationParametersTests.settings)
    #expect(
      try parameters.text() == """
        a cat
        on a mat
        Negative prompt: blurry
        Steps: 28, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 42, \
        Size: 1024x1024, Model: flux1-dev, RNG: CPU, Version: clusca 0.1
        """)
  }

  @Test func valuesThatWouldBeMisreadAreQuoted() throws {
    let parameters = GenerationParameters(
      prompt: "",
      settings: [
        .init("Model", "flux1, \"dev\""), .init("Time", "12:30"), .init("Path", "a\\b"), .init("Note", "two\nlines"),
        .init("Empty", ""), .init("Space", " x"),
      ])
    #expect(
      try parameters.text()
        == #"\#nModel: "flux1, \"dev\"", Time: "12:30", Path: a\b, Note: "two\nlines", Empty: , Space: " x""#)
    #expect(GenerationParameters(parsing: try parameters.text()) == parameters)
  }

  private static let nasty = [
    "", "a cat", "two\nlines", "\n", "\n\n", " leading and trailing ", "a, b: c, \"d\"", "Steps: 3,",
    "Steps: 3, Sampler: Euler, Seed: 7", "first\nSteps: 3, Sampler: Euler, Seed: 7\nlast",
    " Steps: 3, Seed: 4, Size: 1x1", "   Steps: 3", "Steps: 3\n", "Steps: 3\n \n\n", "Negative prompt: not one",
    " Negative prompt: not one", "x\nNegative prompt:\nSteps: 3, Seed: 4, Size: 1x1",
    "Negative prompt: Steps: 3, Seed: 4, Size: 1x1", "🐈‍⬛ 猫, \u{1F3F4}\u{200D}\u{2620}\u{FE0F}", "e\u{301}", "\u{301}",
    "\u{301}Steps: 1", "Negative prompt:\u{301}", "tab\tin\tit", "\\n is no line feed, \\u001b no escape", "\"", "'",
    ",", ":", "Subject: cat, Style: photo, Light: soft",
    "\u{2028}separated\u{2029}", "<lora:x:0.5> (word:1.2) [a|b]", "{\"json\": [1, 2]}", "\u{FEFF}x",
  ]

  @Test(arguments: nasty)
  func everyPromptReturnsWhateverStandsBesideIt(prompt: String) throws {
    for negative in GenerationParametersTests.nasty {
      for settings in [[], GenerationParametersTests.settings, Array(GenerationParametersTests.settings.prefix(1))] {
        let parameters = GenerationParameters(prompt: prompt, negativePrompt: negative, settings: settings)
        let read = GenerationParameters(parsing: try parameters.text())
        #expect(Array(read.prompt.unicodeScalars) == Array(prompt.unicodeScalars))
        #expect(Array(read.negativePrompt.unicodeScalars) == Array(negative.unicodeScalars))
        #expect(read.settings == settings)
      }
    }
  }

  @Test(arguments: nasty)
  func everyValueReturns(value: String) throws {
    let parameters = GenerationParameters(
      prompt: "a cat",
      settings: [.init("Steps", "28"), .init("Value", value), .init("Seed", "1"), .init("Last one", value)])
    let read = GenerationParameters(parsing: try parameters.text())
    #expect(read.settings.count == 4)
    #expect(read["Value"].map { Array($0.unicodeScalars) } == Array(value.unicodeScalars))
    #expect(read["Last one"].map { Array($0.unicodeScalars) } == Array(value.unicodeScalars))
    #expect(read["Seed"] == "1")
  }

  @Test func randomPromptsReturn() throws {
    var random = SeededGenerator(seed: 5)
    let pieces = [
      "Steps: 3", "Negative prompt:", " ", "\n", ", ", ": ", "\"", "\\", "Seed: 1, Size: 2x2, Model: m", "猫", "x",
      "\u{301}", "\t",
    ]
    func prompt() -> String {
      (0..<Int.random(in: 0..<9, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
    }
    for _ in 0..<5000 {
      let settings: [GenerationParameters.Setting] =
        Bool.random(using: &random) ? [] : [.init("Steps", "1"), .init("Note", prompt())]
      let parameters = GenerationParameters(prompt: prompt(), negativePrompt: prompt(), settings: settings)
      let text = try parameters.text()
      let read = GenerationParameters(parsing: text)
      #expect(Array(read.prompt.utf8) == Array(parameters.prompt.utf8), "\(text)")
      #expect(Array(read.negativePrompt.utf8) == Array(parameters.negativePrompt.utf8), "\(text)")
      #expect(read.settings.map { Array($0.value.utf8) } == settings.map { Array($0.value.utf8) }, "\(text)")
    }
  }

  @Test func controlCharactersAreShownAndLineEndsMadeOne() throws {
    let parameters = GenerationParameters(prompt: "a\u{1B}[2Jb\0\u{9B}\u{7F}", negativePrompt: "x\r\ny\rz")
    #expect(try parameters.text() == "a\\u001b[2Jb\\u0000\\u009b\\u007f\nNegative prompt: x\ny\nz")
    // A value is quoted, and so keeps them.
    let value = GenerationParameters(prompt: "", settings: [.init("Steps", "1"), .init("Odd", "\u{1B}\u{9B}\r\n")])
    let text = try value.text()
    #expect(!text.unicodeScalars.contains { $0.isControl && $0 != "\n" })
    #expect(GenerationParameters(parsing: text)["Odd"].map { Array($0.utf8) } == Array("\u{1B}\u{9B}\r\n".utf8))
  }

  @Test(arguments: ["", "x", "a,b", "a:b", " ab", "ab ", "-ab", "a\nb", "\"a\"", "(ab)"])
  func namesThatA1111WouldNotReadAreRefused(name: String) {
    let parameters = GenerationParameters(prompt: "", settings: [.init(name, "1")])
    #expect(throws: MediaError.self) { try parameters.text() }
  }

  @Test func whatOthersWriteIsRead() {
    let forge = GenerationParameters(
      parsing: """
        a cat, <lora:fur:0.8>\r
        Negative prompt: ugly
        fat\r
        Steps: 20, Sampler: DPM++ 2M, CFG scale: 7, Seed: 965400086, Size: 512x512, Lora hashes: "fur: 1a2b, b: 3c", \
        TI: "a\\"b", Version: v1.6.0,

        """)
    #expect(forge.prompt == "a cat, <lora:fur:0.8>")
    #expect(forge.negativePrompt == "ugly\nfat")
    #expect(forge["Lora hashes"] == "fur: 1a2b, b: 3c")
    #expect(forge["TI"] == "a\"b")
    #expect(forge["Version"] == "v1.6.0")
    #expect(forge.settings.count == 8)

    let onlySettings = GenerationParameters(parsing: "Steps: 20, Seed: 1, , Size: 5x5")
    #expect(onlySettings.prompt == "")
    #expect(onlySettings.settings == [.init("Steps", "20"), .init("Seed", "1"), .init("Size", "5x5")])

    let list = GenerationParameters(
      parsing: "x\nSteps: 2, Resources: [{\"type\":\"checkpoint\",\"id\":1}, {\"id\":2}], Seed: 3")
    #expect(list["Resources"] == "[{\"type\":\"checkpoint\",\"id\":1}, {\"id\":2}]")
    #expect(list["Seed"] == "3")

    let broken = GenerationParameters(parsing: "x\nSteps: 2, Name: \"not closed, Seed: 3")
    #expect(broken["Name"] == "\"not closed")
    #expect(broken["Seed"] == "3")
  }

  @Test(arguments: ["just a prompt", "", "a: b, c", "Portrait: a cat, Background: blue", "Steps: up the hill"])
  func textWithoutSettingsIsAllPrompt(text: String) {
    #expect(GenerationParameters(parsing: text) == GenerationParameters(prompt: text))
  }

  @Test(.timeLimit(.minutes(1))) func longTextsTakeTimeInProportion() {
    for piece in ["Steps: 3, ", "a, ", "\"", "\\", "Negative prompt: ", ",", "\n", "Steps: \"", " "] {
      _ = GenerationParameters(parsing: String(repeating: piece, count: 300_000))
      _ = GenerationParameters(parsing: "x\nSteps: 1, " + String(repeating: piece, count: 300_000))
    }
  }
}
