import Media
import Testing

@Suite struct ReducedPictureTests {
  @Test func everyPixelIsTheMeanOfThoseThatItCovers() throws {
    let bytes: [UInt8] = [0, 10, 20, 2, 12, 22, 4, 14, 24, 6, 16, 26]
    let picture = try Picture(width: 2, height: 2, bytes: bytes)
    #expect(try picture.reduced(toFit: 1) == Picture(width: 1, height: 1, bytes: [3, 13, 23]))
  }

  @Test func theLongerSideFitsAndTheShapeStays() throws {
    let picture = try Picture(width: 60, height: 30, filledWith: Colour(red: 9, green: 8, blue: 7))
    let small = try picture.reduced(toFit: 20)
    #expect(small.width == 20 && small.height == 10)
    #expect(small == (try Picture(width: 20, height: 10, filledWith: Colour(red: 9, green: 8, blue: 7))))
    #expect(try Picture(width: 300, height: 1, filledWith: .white).reduced(toFit: 7).height == 1)
  }

  @Test func aPictureThatFitsStaysAsItIs() throws {
    let picture = try Picture(width: 3, height: 2, bytes: Array(0..<18))
    #expect(try picture.reduced(toFit: 3) == picture)
    #expect(throws: MediaError.self) { try picture.reduced(toFit: 0) }
  }
}
