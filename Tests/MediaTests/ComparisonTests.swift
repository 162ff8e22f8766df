import Testing

@testable import Media

@Suite struct ComparisonTests {
  private struct Numbers: Decodable {
    let width: Int
    let height: Int
    let mse: Double
    let psnr: Double
    let ssim: Double
    let mean: Double
    let maximum: Int
  }

  @Test func theNumbersAreThoseOfScikitImage() throws {
    let first = try PNG.decode(try Fixture.bytes("compare-a.png"))
    let second = try PNG.decode(try Fixture.bytes("compare-b.png"))
    let cases = try Fixture.json("compare.json", as: [Numbers].self)
    #expect(cases.count == 4)
    for expected in cases {
      let comparison = try Comparison(
        try first.cropped(x: 0, y: 0, width: expected.width, height: expected.height),
        try second.cropped(x: 0, y: 0, width: expected.width, height: expected.height))
      #expect(abs(comparison.meanSquaredError - expected.mse) < 1e-10)
      #expect(abs(comparison.peakSignalToNoiseRatio - expected.psnr) < 1e-10)
      #expect(abs(try comparison.structuralSimilarity() - expected.ssim) < 1e-10)
      #expect(abs(comparison.meanAbsoluteDifference - expected.mean) < 1e-10)
      #expect(comparison.maximumAbsoluteDifference == expected.maximum)
    }
  }

  @Test func equalPicturesAreEqual() throws {
    let picture = try Fixture.noise(width: 20, height: 15, seed: 6)
    let comparison = try Comparison(picture, picture)
    #expect(comparison.peakSignalToNoiseRatio == .infinity)
    #expect(try comparison.structuralSimilarity() == 1)
    #expect(comparison.meanAbsoluteDifference == 0)
    #expect(comparison.maximumAbsoluteDifference == 0)
    #expect(try comparison.differencePicture(amplifiedBy: 9) == Picture(width: 20, height: 15, filledWith: .black))
  }

  @Test func blackAndWhiteAreAsFarApartAsCanBe() throws {
    let black = try Picture(width: 11, height: 11, filledWith: .black)
    let white = try Picture(width: 11, height: 11, filledWith: .white)
    let comparison = try Comparison(black, white)
    #expect(comparison.meanSquaredError == 65025)
    #expect(comparison.peakSignalToNoiseRatio == 0)
    #expect(comparison.maximumAbsoluteDifference == 255)
    #expect(try comparison.structuralSimilarity() < 1e-3)
    #expect(try comparison.differencePicture() == white)
  }

  @Test func theOrderOfThePicturesDoesNotMatter() throws {
    let first = try Fixture.noise(width: 16, height: 12, seed: 7)
    let second = try Fixture.noise(width: 16, height: 12, seed: 8)
    let forth = try Comparison(first, second)
    let back = try Comparison(second, first)
    #expect(try forth.structuralSimilarity() == back.structuralSimilarity())
    #expect(forth.meanSquaredError == back.meanSquaredError)
    #expect(try forth.differencePicture() == back.differencePicture())
  }

  @Test func differencesAreAmplifiedAndCutOff() throws {
    let first = try Picture(width: 1, height: 1, bytes: [10, 100, 0])
    let second = try Picture(width: 1, height: 1, bytes: [13, 98, 200])
    let comparison = try Comparison(first, second)
    #expect(try comparison.differencePicture().bytes == [3, 2, 200])
    #expect(try comparison.differencePicture(amplifiedBy: 4).bytes == [12, 8, 255])
    #expect(try comparison.differencePicture(amplifiedBy: 0.5).bytes == [2, 1, 100])
    for factor in [0, -1, Double.nan, .infinity] {
      #expect(throws: MediaError.self) { try comparison.differencePicture(amplifiedBy: factor) }
    }
    #expect(try comparison.differencePicture(amplifiedBy: 1e300).bytes == [255, 255, 255])
  }

  @Test func whatCannotBeComparedIsRefused() throws {
    let wide = try Picture(width: 12, height: 10, filledWith: .white)
    let high = try Picture(width: 10, height: 12, filledWith: .white)
    #expect(throws: MediaError.self) { try Comparison(wide, high) }
    let small = try Comparison(wide, wide)
    #expect(
      mediaError { _ = try small.structuralSimilarity() }?.description
        == "The structural similarity needs pictures of at least 11x11, not 12x10.")
  }
}
