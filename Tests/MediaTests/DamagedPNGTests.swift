import Testing

@testable import Media

@Suite struct DamagedPNGTests {
  private static func small() throws -> [UInt8] {
    let texts = [PNGText(key: "parameters", text: "a cat"), PNGText(key: "Title", text: "猫")]
    return try PNG.encode(try Fixture.noise(width: 5, height: 4, seed: 9), texts: texts)
  }

  @Test func aFileCutAtAnyByteIsRefused() throws {
    for file in [try DamagedPNGTests.small(), try Fixture.bytes("interlaced-alpha.png")] {
      for length in 0..<file.count {
        let cut = Array(file[..<length])
        #expect(throws: MediaError.self, "cut at \(length)") { try PNG.decode(cut) }
        #expect(throws: MediaError.self, "cut at \(length)") { try PNG.texts(in: cut) }
      }
    }
  }

  @Test func anyFlippedBitIsNoticed() throws {
    let file = try DamagedPNGTests.small()
    for index in file.indices {
      for bit in 0..<8 {
        var damaged = file
        damaged[index] ^= 1 << UInt8(bit)
        #expect(throws: MediaError.self, "bit \(bit) of byte \(index)") { try PNG.decode(damaged) }
        #expect(throws: MediaError.self, "bit \(bit) of byte \(index)") { try PNG.texts(in: damaged) }
      }
    }
  }

  /// Damage with right check sums, which only the decoder behind them can notice. It may succeed or fail, but it must
  /// return, and a picture of the claimed size if any.
  @Test(arguments: ["rgb", "rgba", "palette-transparent", "interlaced-alpha", "grey-1bit", "rgb-16bit"])
  func damageWithRightCheckSumsDoesNoHarm(name: String) throws {
    let file = try Fixture.bytes("\(name).png")
    var random = SeededGenerator(seed: 11)
    for _ in 0..<2000 {
      var chunks = try DamagedPNGTests.chunks(file)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let index = Int.random(in: chunks.indices, using: &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: chunks.remove(at: index)
        case 1: chunks.insert(chunks[index], at: Int.random(in: chunks.indices, using: &random))
        case 2: chunks[index].data = Array(chunks[index].data.dropLast(Int.random(in: 1...9, using: &random)))
        case 3: chunks[index].data.append(UInt8.random(in: 0...255, using: &random))
        default:
          guard !chunks[index].data.isEmpty else { continue }
          let byte = Int.random(in: chunks[index].data.indices, using: &random)
          chunks[index].data[byte] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
        guard !chunks.isEmpty else { break }
      }
      let damaged = PNGChunks.signature + chunks.flatMap { PNGChunk.bytes(type: $0.type, data: $0.data) }
      do {
        let picture = try PNG.decode(damaged, limits: PNGLimits(maximumPixels: 1 << 20))
        #expect(picture.bytes.count == 3 * picture.width * picture.height)
      } catch {
        #expect(DamagedPNGTests.isUnreadable(error))
      }
    }
  }

  @Test func randomBytesAreNoPicture() throws {
    var random = SeededGenerator(seed: 12)
    for _ in 0..<500 {
      let noise = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(throws: MediaError.self) { try PNG.decode(noise) }
      #expect(throws: MediaError.self) { try PNG.decode(PNGChunks.signature + noise) }
      #expect(throws: MediaError.self) { try PNG.texts(in: PNGChunks.signature + noise) }
    }
    #expect(
      mediaError { _ = try PNG.decode(Array("\u{FF}JFIF, not a PNG".utf8)) }?.description
        == "The PNG cannot be read: it does not begin as a PNG does.")
  }

  private static let impossibleSizes: [(UInt32, UInt32)] = [
    (.max, .max), (0x8000_0000, 1), (0x7FFF_FFFF, 0x7FFF_FFFF), (65537, 1), (16385, 16384), (0, 1), (1, 0),
  ]

  @Test(arguments: impossibleSizes)
  func aSizeBeyondTheLimitsIsRefused(width: UInt32, height: UInt32) {
    let file = DamagedPNGTests.file(width: width, height: height, pixels: [0x78, 0x9C])
    #expect(throws: MediaError.self) { try PNG.decode(file) }
    #expect(throws: MediaError.self) { try PNG.texts(in: file) }
  }

  @Test func aFewBytesThatClaimManyPixelsAreRefusedBeforeMemoryIsSetAside() {
    let file = DamagedPNGTests.file(width: 16384, height: 16384, pixels: [UInt8](repeating: 0, count: 1000))
    let error = mediaError { _ = try PNG.decode(file) }
    #expect(error?.description == "The PNG cannot be read: 1000 bytes cannot hold the 16384x16384 pixels it claims.")
  }

  @Test func theLimitsAreThoseOfTheCaller() throws {
    let file = try DamagedPNGTests.small()
    #expect(throws: MediaError.self) { try PNG.decode(file, limits: PNGLimits(maximumSide: 4)) }
    #expect(throws: MediaError.self) { try PNG.decode(file, limits: PNGLimits(maximumPixels: 19)) }
    #expect(throws: Never.self) { try PNG.decode(file, limits: PNGLimits(maximumSide: 5, maximumPixels: 20)) }
  }

  @Test(arguments: [
    [0, 0, 0, 1, 0, 0, 0, 1, 3, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 1, 4, 2, 0, 0, 0],
    [0, 0, 0, 1, 0, 0, 0, 1, 16, 3, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 1, 8, 5, 0, 0, 0],
    [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 1, 0],
    [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 2], [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0], [],
  ])
  func headersOutsideTheStandardAreRefused(header: [UInt8]) {
    let file = PNGChunks.signature + PNGChunk.bytes(type: "IHDR", data: header)
    #expect(throws: MediaError.self) { try PNG.texts(in: file + PNGChunk.bytes(type: "IEND", data: [])) }
  }

  @Test func aChunkThatClaimsTwoGigabytesIsRefused() throws {
    for claim: [UInt8] in [[0x7F, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF]] {
      let file = PNGTests.inserted(claim + Array("tEXtparameters\0x".utf8), into: try DamagedPNGTests.small())
      #expect(throws: MediaError.self) { try PNG.texts(in: file) }
      #expect(throws: MediaError.self) { try PNG.decode(file) }
    }
  }

  // MARK: - Parts of files

  private static func file(width: UInt32, height: UInt32, pixels: [UInt8]) -> [UInt8] {
    let header = PNGChunk.bigEndianBytes(width) + PNGChunk.bigEndianBytes(height) + [8, 2, 0, 0, 0]
    return PNGChunks.signature + PNGChunk.bytes(type: "IHDR", data: header)
      + PNGChunk.bytes(type: "IDAT", data: pixels) + PNGChunk.bytes(type: "IEND", data: [])
  }

  private static func chunks(_ file: [UInt8]) throws -> [(type: String, data: [UInt8])] {
    var chunks: [(type: String, data: [UInt8])] = [("IHDR", Array(file[16..<29]))]
    var walk = try PNGChunks(file, limits: PNGLimits())
    while let chunk = try walk.next() { chunks.append((chunk.type, Array(chunk.data))) }
    return chunks
  }

  private static func isUnreadable(_ error: MediaError) -> Bool {
    if case .unreadablePNG = error { true } else { false }
  }
}
