import Testing

@testable import Media

/// Frames of a video as one picture, and back.
@Suite struct FrameSheetTests {
  private func frames(_ count: Int, width: Int, height: Int) throws -> [Picture] {
    try (0..<count).map { number in
      try Picture(
        width: width, height: height, bytes: (0..<3 * width * height).map { UInt8(truncatingIfNeeded: number * 7 + $0) }
      )
    }
  }

  @Test func framesStandBelowOneAnotherAndComeBack() throws {
    let frames = try frames(5, width: 3, height: 2)
    let sheet = try FrameSheet(frames: 5, width: 3, height: 2).sheet(frames)
    #expect(sheet.width == 3 && sheet.height == 10)
    #expect(try FrameSheet(frames: 5, width: 3, height: 2).frames(of: sheet) == frames)
  }

  @Test func manyTallFramesStandInColumns() throws {
    let height = Picture.maximumSide / 2
    let frames = try frames(5, width: 1, height: height)
    let sheet = try FrameSheet(frames: 5, width: 1, height: height).sheet(frames)
    #expect(sheet.width == 3 && sheet.height == Picture.maximumSide)
    #expect(try FrameSheet(frames: 5, width: 1, height: height).frames(of: sheet) == frames)
  }

  @Test func otherPicturesAreNoSheets() throws {
    let sheet = try FrameSheet(frames: 5, width: 3, height: 2)
    #expect(throws: MediaError.self) { try sheet.frames(of: frames(1, width: 3, height: 9)[0]) }
    #expect(throws: MediaError.self) { try sheet.sheet(frames(4, width: 3, height: 2)) }
    #expect(throws: MediaError.self) { try sheet.sheet(frames(5, width: 2, height: 2)) }
  }
}
