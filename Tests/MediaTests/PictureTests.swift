import Testing

@testable import Media

@Suite struct PictureTests {
  @Test func aPictureTakesExactlyItsSamples() throws {
    let picture = try Picture(width: 2, height: 1, bytes: [1, 2, 3, 4, 5, 6])
    #expect(picture[1, 0] == Colour(red: 4, green: 5, blue: 6))
    #expect(picture[2, 0] == nil)
    #expect(picture[0, -1] == nil)
    #expect(throws: MediaError.self) { try Picture(width: 2, height: 1, bytes: [1, 2, 3]) }
    #expect(throws: MediaError.self) { try Picture(width: 1, height: 1, bytes: []) }
  }

  @Test(arguments: [
    (0, 1), (1, 0), (-1, 1), (-3, -3), (Int.max, 2), (Int.max, Int.max), (Int.min, Int.min), (1 << 32, 1 << 32),
    (1 << 17, 1), (1, 1 << 17), (16385, 16385),
  ])
  func sizesThatCannotBeAreRefused(width: Int, height: Int) {
    #expect(throws: MediaError.self) { try Picture(width: width, height: height, filledWith: .white) }
    #expect(throws: MediaError.self) { try Picture(width: width, height: height, bytes: []) }
  }

  @Test func aPartIsCutOutAndPutBack() throws {
    let picture = try Fixture.noise(width: 7, height: 5, seed: 1)
    let part = try picture.cropped(x: 2, y: 1, width: 4, height: 3)
    for y in 0..<3 { for x in 0..<4 { #expect(part[x, y] == picture[x + 2, y + 1]) } }
    var sheet = try Picture(width: 7, height: 5, filledWith: .black)
    try sheet.place(part, x: 2, y: 1)
    #expect(try sheet.cropped(x: 2, y: 1, width: 4, height: 3) == part)
    #expect(sheet[1, 1] == .black)
    #expect(sheet[6, 3] == .black)
    #expect(try picture.cropped(x: 0, y: 0, width: 7, height: 5) == picture)
  }

  @Test(arguments: [
    (-1, 0, 2, 2), (0, -1, 2, 2), (3, 0, 2, 2), (0, 3, 2, 2), (0, 0, 0, 1), (0, 0, 1, -1), (0, 0, 5, 1),
    (Int.max, 0, 1, 1), (1, 1, Int.max, Int.max), (Int.min, Int.min, 1, 1),
  ])
  func aPartBeyondThePictureIsRefused(x: Int, y: Int, width: Int, height: Int) throws {
    var picture = try Picture(width: 4, height: 4, filledWith: .white)
    #expect(throws: MediaError.self) { try picture.cropped(x: x, y: y, width: width, height: height) }
    let two = try Picture(width: 5, height: 1, filledWith: .black)
    #expect(throws: MediaError.self) { try picture.place(two, x: x, y: y) }
    #expect(picture == (try Picture(width: 4, height: 4, filledWith: .white)))
  }
}
