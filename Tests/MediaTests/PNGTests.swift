import Testing

@testable import Media

@Suite struct PNGTests {
  @Test(arguments: [(1, 1), (3, 2), (64, 48), (1, 300), (257, 1)])
  func aPictureReturnsFromItsFile(width: Int, height: Int) throws {
    let picture = try Fixture.noise(width: width, height: height, seed: 3)
    let file = try PNG.encode(picture)
    #expect(try PNG.decode(file) == picture)
    #expect(try PNG.texts(in: file).isEmpty)
  }

  @Test func theSamePictureAndTextsGiveTheSameBytes() throws {
    let picture = try Fixture.noise(width: 40, height: 30, seed: 4)
    let texts = [PNGText(key: "parameters", text: "a cat"), PNGText(key: "clusca", text: "{\"seed\":7}")]
    #expect(try PNG.encode(picture, texts: texts) == PNG.encode(picture, texts: texts))
  }

  @Test(arguments: [
    "rgb", "rgba", "grey", "grey-alpha", "grey-1bit", "grey-16bit", "rgb-16bit", "palette", "palette-transparent",
    "interlaced", "interlaced-alpha",
  ])
  func everyKindOfFileIsReadAsPillowReadsIt(name: String) throws {
    let picture = try PNG.decode(try Fixture.bytes("\(name).png"))
    #expect(picture.width == 13)
    #expect(picture.height == 9)
    #expect(picture.bytes == (try Fixture.bytes("\(name).rgb")))
  }

  @Test func transparencyShowsTheBackground() throws {
    let white = try PNG.decode(try Fixture.bytes("rgba.png"))
    let black = try PNG.decode(try Fixture.bytes("rgba.png"), over: .black)
    #expect(white != black)
    #expect(zip(white.bytes, black.bytes).allSatisfy { $0 >= $1 })
    let opaque = try Fixture.bytes("rgb.png")
    #expect(try PNG.decode(opaque, over: .black) == PNG.decode(opaque))
  }

  @Test func bytesBehindTheEndAreLeftAlone() throws {
    let file = try Fixture.bytes("rgb.png")
    #expect(try PNG.decode(file + [1, 2, 3]) == PNG.decode(file))
  }

  @Test func chunksThatMakeNoPixelsAreNotNeeded() throws {
    let file = try Fixture.bytes("rgb.png")
    let profile = PNGChunk.bytes(type: "iCCP", data: Array("broken".utf8))
    #expect(try PNG.decode(PNGTests.inserted(profile, into: file)) == PNG.decode(file))
    let critical = PNGChunk.bytes(type: "ABCD", data: [])
    #expect(throws: MediaError.self) { try PNG.decode(PNGTests.inserted(critical, into: file)) }
  }

  @Test func theCheckSumIsThatOfTheStandard() {
    // The check value of CRC-32/ISO-HDLC.
    #expect(CRC32.of(Array("123456789".utf8)) == 0xCBF4_3926)
    #expect(PNGChunk.bytes(type: "IEND", data: []) == [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82])
  }

  /// A file with a chunk put behind its header.
  static func inserted(_ chunk: [UInt8], into file: [UInt8]) -> [UInt8] {
    Array(file[..<PNGChunks.headerBytes]) + chunk + Array(file[PNGChunks.headerBytes...])
  }
}
