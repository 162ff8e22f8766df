import Testing

@testable import Media

@Suite struct GridTests {
  @Test func picturesStandRowByRow() throws {
    let pictures = try (0..<5).map { try Fixture.noise(width: 3, height: 2, seed: UInt64($0)) }
    let grid = try Grid(rows: 2, columns: 3, spacing: 1, background: .black)
    let sheet = try grid.sheet(pictures)
    #expect(sheet.width == 11)
    #expect(sheet.height == 5)
    for (index, picture) in pictures.enumerated() {
      #expect(try sheet.cropped(x: index % 3 * 4, y: index / 3 * 3, width: 3, height: 2) == picture)
    }
    #expect(sheet[3, 0] == .black)
    #expect(sheet[0, 2] == .black)
    #expect(sheet[10, 4] == .black)
  }

  @Test func aGridIsReadAsRowsAndColumns() throws {
    let grid = try Grid(parsing: "2x3")
    #expect(grid.rows == 2)
    #expect(grid.columns == 3)
  }

  @Test(arguments: [
    "", "x", "2", "2x", "x3", "2x3x4", "-2x3", "2 x 3", "+2x3", "0x3", "2x0", "2X3", "٢x٣", "99999999999999999999x1",
  ])
  func otherGridsAreRefused(text: String) {
    #expect(throws: MediaError.self) { try Grid(parsing: text) }
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let picture = try Picture(width: 2, height: 2, filledWith: .white)
    let other = try Picture(width: 2, height: 3, filledWith: .white)
    #expect(throws: MediaError.self) { try Grid(rows: 1, columns: 1).sheet([]) }
    #expect(throws: MediaError.self) { try Grid(rows: 1, columns: 1).sheet([picture, picture]) }
    #expect(throws: MediaError.self) { try Grid(rows: 1, columns: 2).sheet([picture, other]) }
    #expect(throws: MediaError.self) { try Grid(rows: Int.max, columns: Int.max).sheet([picture]) }
    #expect(throws: MediaError.self) { try Grid(rows: 1 << 20, columns: 1 << 20).sheet([picture]) }
    #expect(throws: MediaError.self) { try Grid(rows: 1, columns: 1, spacing: Int.max).sheet([picture]) }
    #expect(throws: MediaError.self) { try Grid(rows: 1, columns: 1, spacing: -1) }
    #expect(throws: MediaError.self) { try Grid(rows: 0, columns: 1) }
    var overlapping = try Grid(rows: 1, columns: 2)
    overlapping.spacing = -1
    #expect(throws: MediaError.self) { try overlapping.sheet([picture, picture]) }
  }
}
