import Testing

@testable import Media

@Suite struct PNGTextTests {
  private static func file(_ texts: [PNGText]) throws -> [UInt8] {
    try PNG.encode(try Picture(width: 1, height: 1, filledWith: .white), texts: texts)
  }

  private static func types(_ file: [UInt8]) throws -> [String] {
    var types = ["IHDR"]
    var chunks = try PNGChunks(file, limits: PNGLimits())
    while let chunk = try chunks.next() { types.append(chunk.type) }
    return types
  }

  @Test func textsStandBetweenHeaderAndPixels() throws {
    let texts = [
      PNGText(key: "parameters", text: "a café\nSteps: 4"), PNGText(key: "clusca", text: "{\"prompt\":\"猫\"}"),
    ]
    let file = try PNGTextTests.file(texts)
    #expect(try Array(PNGTextTests.types(file).prefix(3)) == ["IHDR", "tEXt", "iTXt"])
    #expect(try PNG.texts(in: file) == texts)
    #expect(try PNG.decode(file) == Picture(width: 1, height: 1, filledWith: .white))
  }

  @Test func latin1IsOneByteACharacter() throws {
    let chunk = try PNGText(key: "parameters", text: "é\n").chunk()
    #expect(chunk == PNGChunk.bytes(type: "tEXt", data: Array("parameters".utf8) + [0, 0xE9, 0x0A]))
  }

  @Test(arguments: [
    "", "plain", "two\nlines", "tab\there", "é ÿ", "Ã©: Latin-1 that reads as UTF-8", "猫 🐈‍⬛", "\u{1B}[31m", "\u{85}",
    "e\u{301} decomposed", "\"quotes\", commas", "\r\n", "\u{FEFF}mark", "\u{202E}turned",
  ])
  func everyTextReturnsScalarByScalar(text: String) throws {
    let read = try PNG.texts(in: try PNGTextTests.file([PNGText(key: "parameters", text: text)]))
    #expect(read.map { Array($0.text.unicodeScalars) } == [Array(text.unicodeScalars)])
  }

  @Test(arguments: ["", " a", "a ", "a  b", "a\nb", "猫", String(repeating: "k", count: 80), "a\0b"])
  func keysOutsideTheStandardAreRefused(key: String) {
    #expect(throws: MediaError.self) { try PNGTextTests.file([PNGText(key: key, text: "x")]) }
  }

  @Test func aTextWithAZeroByteIsRefused() {
    #expect(throws: MediaError.self) { try PNGTextTests.file([PNGText(key: "a", text: "x\0y")]) }
  }

  @Test func whatPillowWroteIsReadAndPackedTextSkipped() throws {
    let texts = try PNG.texts(in: try Fixture.bytes("texts.png"))
    #expect(
      texts == [
        PNGText(key: "parameters", text: "a café\nSteps: 4, Sampler: Euler, Seed: 7"),
        PNGText(key: "Title", text: "猫 🐈"),
      ])
  }

  @Test func utf8WithinATEXtIsRecognised() throws {
    let chunk = PNGChunk.bytes(type: "tEXt", data: Array("parameters\0猫, Steps: 4".utf8))
    let file = PNGTests.inserted(chunk, into: try PNGTextTests.file([]))
    #expect(try PNG.texts(in: file).map(\.text) == ["猫, Steps: 4"])
  }

  @Test func textBehindThePixelsIsRead() throws {
    let file = try PNGTextTests.file([])
    let late = Array(file.dropLast(12)) + (try PNGText(key: "a", text: "late").chunk()) + Array(file.suffix(12))
    #expect(try PNG.texts(in: late) == [PNGText(key: "a", text: "late")])
  }

  @Test func longTextsAreRefusedBothWays() throws {
    let limit = PNGLimits().maximumTextBytes
    let fits = String(repeating: "x", count: limit - 2)
    #expect(try PNG.texts(in: PNGTextTests.file([PNGText(key: "a", text: fits)])).first?.text.utf8.count == limit - 2)
    #expect(throws: MediaError.self) { try PNGTextTests.file([PNGText(key: "a", text: fits + "x")]) }
    let file = try PNGTextTests.file([PNGText(key: "a", text: "four")])
    #expect(throws: MediaError.self) { try PNG.texts(in: file, limits: PNGLimits(maximumTextBytes: 5)) }
    #expect(throws: MediaError.self) { try PNG.texts(in: file, limits: PNGLimits(maximumTexts: 0)) }
    let many = [PNGText](repeating: PNGText(key: "a", text: ""), count: 257)
    #expect(throws: MediaError.self) { try PNGTextTests.file(many) }
  }

  @Test(
    arguments: [
      ("tEXt", Array("no end of the key".utf8)), ("tEXt", [0, 0x61]), ("tEXt", []),
      ("tEXt", Array("a\0b\0c".utf8)), ("iTXt", Array("a\0".utf8)), ("iTXt", [0x61, 0, 0]),
      ("iTXt", [0x61, 0, 0, 0, 0x62]), ("iTXt", [0x61, 0, 0, 0, 0]), ("iTXt", [0x61, 0, 2, 0, 0, 0, 0x62]),
      ("iTXt", [0x61, 0, 0, 0, 0, 0, 0xFF]), ("iTXt", [0x61, 0, 0, 0, 0, 0, 0xED, 0xA0, 0x80]),
      ("iTXt", [0x61, 0, 0, 0, 0, 0, 0x62, 0]),
    ] as [(String, [UInt8])])
  func textsThatAreBrokenAreRefused(type: String, data: [UInt8]) throws {
    let file = PNGTests.inserted(PNGChunk.bytes(type: type, data: data), into: try PNGTextTests.file([]))
    #expect(throws: MediaError.self) { try PNG.texts(in: file) }
  }
}
