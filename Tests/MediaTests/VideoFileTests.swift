import Files
import Foundation
import Testing

@testable import Media

/// Videos that ffmpeg encodes, where it is installed.
@Suite(.enabled(if: VideoFile.programPath != nil, "ffmpeg is not installed"))
struct VideoFileTests {
  private final class TemporaryFolder {
    let path: String

    init() throws {
      let url = FileManager.default.temporaryDirectory.appending(path: "clusca-video-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      path = url.path(percentEncoded: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
  }

  /// A bright square that wanders over a coloured ground.
  private func frames(_ count: Int, width: Int = 64, height: Int = 48) throws -> [Picture] {
    try (0..<count).map { index in
      var frame = try Picture(width: width, height: height, filledWith: Colour(red: 200, green: 40, blue: 60))
      let square = try Picture(width: 16, height: 16, filledWith: Colour(red: 30, green: 220, blue: 240))
      try frame.place(square, x: 4 * index, y: 8)
      return frame
    }
  }

  /// What ffmpeg and ffprobe say.
  private func run(_ program: String, _ arguments: [String]) throws -> Data {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return data
  }

  @Test func anMP4HoldsTheFramesWithTheirColours() throws {
    let (folder, frames) = (try TemporaryFolder(), try frames(9))
    let path = "\(folder.path)/x.mp4"
    #expect(try VideoFile.write(frames, rate: 12.5, as: .mp4, comment: "{\"a\": 1}", to: path) == path)
    #expect(folder.names == ["x.mp4"])
    let decoded = [UInt8](
      try run("ffmpeg", ["-loglevel", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]))
    let bytes = frames.flatMap(\.bytes)
    try #require(decoded.count == bytes.count)
    let total = zip(decoded, bytes).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    // Colours have a quarter of the pixels, so that edges differ, but no colour as a whole.
    #expect(total < 4 * bytes.count, "\(Double(total) / Double(bytes.count)) on average")
    let ground = 3 * (40 * 64 + 60)
    for place in 0..<3 { #expect(abs(Int(decoded[ground + place]) - Int(bytes[ground + place])) <= 4) }
    let facts = String(
      decoding: try run(
        "ffprobe",
        ["-v", "error", "-show_entries", "stream=codec_name,r_frame_rate,nb_frames:format_tags=comment", path]
      ), as: UTF8.self)
    for fact in ["codec_name=h264", "r_frame_rate=25/2", "nb_frames=9", "comment={\"a\": 1}"] {
      #expect(facts.contains(fact), "\(facts)")
    }
  }

  @Test func anAnimatedWebPHoldsAllFrames() throws {
    let folder = try TemporaryFolder()
    let path = try VideoFile.write(frames(5), rate: 10, as: .webp, to: "\(folder.path)/x.webp")
    let bytes = try Data(contentsOf: URL(filePath: path))
    #expect(bytes.prefix(4) == Data("RIFF".utf8) && bytes[8..<16] == Data("WEBPVP8X".utf8))
    var (count, place) = (0, bytes.startIndex)
    while let found = bytes.range(of: Data("ANMF".utf8), in: place..<bytes.endIndex) {
      (count, place) = (count + 1, found.upperBound)
    }
    #expect(count == 5)
  }

  @Test func aNameThatIsTakenGetsANumberAndFoldersAreMade() throws {
    let (folder, frames) = (try TemporaryFolder(), try frames(2))
    let path = "\(folder.path)/new/-x y:é%d.mp4"
    for wanted in [path, "\(folder.path)/new/-x y:é%d-1.mp4"] {
      #expect(try VideoFile.write(frames, rate: 15, as: .mp4, to: path, createFolders: true) == wanted)
    }
  }

  @Test func whatFfmpegCannotEncodeIsSaidAndLeavesNothing() throws {
    let folder = try TemporaryFolder()
    // H.264 has a colour for each 2 × 2 pixels.
    let error = mediaError {
      try VideoFile.write(self.frames(2, width: 33), rate: 15, as: .mp4, to: "\(folder.path)/x.mp4")
    }
    guard case .unwritableVideo(let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.hasPrefix("ffmpeg ended with status "), "\(reason)")
    #expect(throws: MediaError.self) {
      try VideoFile.check(
        width: 33, height: 48, rate: 15, as: .mp4, path: "\(folder.path)/x.mp4", ifExists: .number)
    }
    let mixed = try frames(1) + frames(1, width: 32)
    #expect(throws: MediaError.self) { try VideoFile.write(mixed, rate: 15, as: .mp4, to: "\(folder.path)/x.mp4") }
    #expect(throws: MediaError.self) { try VideoFile.write([], rate: 15, as: .mp4, to: "\(folder.path)/x.mp4") }
    #expect(throws: FileError.self) { try VideoFile.write(self.frames(2), rate: 15, as: .mp4, to: "/proc/x.mp4") }
    try VideoFile.check(width: 32, height: 48, rate: 15, as: .mp4, path: "\(folder.path)/x.mp4", ifExists: .number)
    #expect(folder.names == [])
  }

  @Test func aCancelledTaskStopsFfmpegAndLeavesNothing() async throws {
    let (folder, frames) = (try TemporaryFolder(), try frames(3))
    let path = "\(folder.path)/x.mp4"
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try VideoFile.write(frames, rate: 15, as: .mp4, to: path)
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(folder.names == [])
  }

  @Test func theCommentOfAnMP4IsReadAndDamageIsNoComment() throws {
    let folder = try TemporaryFolder()
    let path = try VideoFile.write(
      frames(2), rate: 15, as: .mp4, comment: "{\"a\": \"\u{E9}\u{732B}\"}", to: "\(folder.path)/x.mp4")
    #expect(try PictureMetadata(path: path).clusca == ["a": "\u{E9}\u{732B}"])
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    var random = SeededGenerator(seed: 3)
    for _ in 0..<2000 {
      var damaged = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
      for _ in 0..<8 where !damaged.isEmpty {
        damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = damaged.withUnsafeBytes { MP4Comment.text(in: $0) }
    }
    let silent = try VideoFile.write(frames(2), rate: 15, as: .mp4, to: "\(folder.path)/y.mp4")
    #expect(try PictureMetadata(path: silent).clusca == nil)
    let other = try VideoFile.write(frames(2), rate: 15, as: .mp4, comment: "a holiday", to: "\(folder.path)/z.mp4")
    #expect(try PictureMetadata(path: other).clusca == nil)
  }

  @Test func theEndOfANameTellsTheFormat() {
    #expect(VideoFormat(path: "a.mp4") == .mp4 && VideoFormat(path: "b/C.WebP") == .webp)
    #expect(VideoFormat(path: "mp4") == nil && VideoFormat(path: "a.png") == nil && VideoFormat(path: "a.mp4/b") == nil)
  }
}
