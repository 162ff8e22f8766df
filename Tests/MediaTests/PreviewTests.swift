import Testing

@testable import Media

@Suite struct PreviewTests {
  private struct Golden: Decodable {
    let values: [Float]
    let bilinear: [Float]
  }

  @Test func bilinearEnlargementIsThatOfTorch() throws {
    let golden = try Fixture.json("preview.json", as: Golden.self)
    let picture = try Preview.picture(golden.values, width: 4, height: 3, enlargedBy: 5)
    #expect(picture.width == 20)
    #expect(picture.height == 15)
    for channel in 0..<3 {
      for pixel in 0..<300 {
        let expected = golden.bilinear[300 * channel + pixel]
        #expect(abs(Float(picture.bytes[3 * pixel + channel]) - expected) <= 0.51)
      }
    }
  }

  @Test func nearestEnlargementMakesSquares() throws {
    let picture = try Preview.picture(
      [0, 0.5, 1, 1, 0, 0], width: 2, height: 1, layout: .interleaved, range: 0...1, enlargedBy: 3, by: .nearest)
    for y in 0..<3 {
      for x in 0..<6 {
        #expect(picture[x, y] == (x < 3 ? Colour(red: 0, green: 128, blue: 255) : Colour(red: 255, green: 0, blue: 0)))
      }
    }
  }

  @Test func bothLayoutsGiveOnePicture() throws {
    let planar: [Float] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    let interleaved: [Float] = [1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]
    #expect(
      try Preview.picture(planar, width: 2, height: 2, range: 0...12)
        == Preview.picture(interleaved, width: 2, height: 2, layout: .interleaved, range: 0...12))
  }

  @Test(arguments: [Preview.Enlargement.nearest, .bilinear])
  func brokenValuesStillMakeAPicture(enlargement: Preview.Enlargement) throws {
    let values: [Float] = [.nan, .infinity, -.infinity, 1e38, -1e38, .signalingNaN]
    let picture = try Preview.picture(
      values, width: 2, height: 1, layout: .interleaved, enlargedBy: 1, by: enlargement)
    #expect(picture.bytes == [0, 255, 0, 255, 0, 0])
  }

  @Test func whatMakesNoPictureIsRefused() {
    #expect(throws: MediaError.self) { try Preview.picture([0, 0], width: 1, height: 1) }
    #expect(throws: MediaError.self) { try Preview.picture([], width: 0, height: 0) }
    #expect(throws: MediaError.self) { try Preview.picture([0, 0, 0], width: 1, height: 1, enlargedBy: 0) }
    #expect(throws: MediaError.self) { try Preview.picture([0, 0, 0], width: 1, height: 1, enlargedBy: Int.max) }
    #expect(throws: MediaError.self) { try Preview.picture([0, 0, 0], width: 1, height: 1, enlargedBy: 65536) }
    #expect(throws: MediaError.self) { try Preview.picture([0, 0, 0], width: 1, height: 1, range: 1...1) }
    #expect(throws: MediaError.self) { try Preview.picture([0, 0, 0], width: 1, height: 1, range: 0 ... .infinity) }
  }
}
