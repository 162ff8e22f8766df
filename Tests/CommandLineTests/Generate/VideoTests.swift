import Foundation
import Media
import Messaging
import Rendering
import StrictJSON
import Testing

@testable import clusca

/// Videos from the command line.
struct VideoTests {
  private static let hasFFmpeg = VideoFile.programPath != nil

  private func generate(
    _ arguments: String..., environment: [String: String] = [:]
  ) throws -> Program.Outcome {
    try Program.run(
      ["generate", "-m", TinyModels.hunyuan, "-p", "a cat"] + TinyModels.small + arguments, environment: environment)
  }

  /// Expects one sentence with these parts.
  private func expectRefusal(
    _ outcome: Program.Outcome, _ status: Status, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(outcome.status == status.rawValue, "\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.hasOneSentence, "\(outcome.errors)", sourceLocation: sourceLocation)
    for part in parts { #expect(outcome.errors.contains(part), "\(outcome.errors)", sourceLocation: sourceLocation) }
  }

  @Test func framesAreNumberedPicturesThatTellHowTheyWereMade() throws {
    let folder = try TemporaryFolder()
    let outcome = try generate("--frames", "5", "--fps", "12", "-o", "\(folder.path)/f-%04d.png")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let names = (0..<5).map { "f-000\($0).png" }
    #expect(folder.names == names)
    #expect(outcome.output == names.map { "\(folder.path)/\($0)\n" }.joined())
    let settings = try TinyModels.settings("\(folder.path)/f-0003.png")
    #expect(settings["frames"] == 5 && settings["fps"]?.double == 12 && settings["prompt"] == "a cat")

    // The same again from any frame, byte by byte.
    let again = try Program.run("generate", "--from", "\(folder.path)/f-0003.png", "-o", "\(folder.path)/g-%d.png")
    #expect(again.status == 0, "\(again.errors)")
    for frame in 0..<5 {
      let (first, second) = ("\(folder.path)/f-000\(frame).png", "\(folder.path)/g-\(frame).png")
      #expect(try Data(contentsOf: URL(filePath: first)) == Data(contentsOf: URL(filePath: second)))
    }
  }

  @Test func theFramesOfAVideoAreNotMixedWithOthers() throws {
    let folder = try TemporaryFolder()
    try folder.file("f-2.png", "")
    expectRefusal(
      try generate("--frames", "5", "-o", "\(folder.path)/f-%d.png"), .output, "f-2.png exists", "--force")
    #expect(folder.names == ["f-2.png"])
    #expect(try generate("--frames", "5", "--force", "-o", "\(folder.path)/f-%d.png").status == 0)
    #expect(folder.names.count == 5)
    expectRefusal(try generate("--frames", "5", "-b", "2", "-o", "\(folder.path)/g-%d.png"), .usage, "%s", "--output")
    #expect(try generate("--frames", "5", "-b", "2", "-o", "\(folder.path)/%s/%d.png").status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/1").count == 5)
  }

  @Test func oneFrameIsAPicture() throws {
    let folder = try TemporaryFolder()
    let outcome = try generate("--frames", "1", "-o", "\(folder.path)/x.png")
    #expect(outcome.status == 0 && folder.names == ["x.png"], "\(outcome.errors)")
    let settings = try TinyModels.settings("\(folder.path)/x.png")
    #expect(settings["frames"] == 1 && settings["fps"] == nil)
    expectRefusal(
      try generate("--frames", "1", "-o", "\(folder.path)/x.mp4"), .usage, "--output", "x.mp4", ".png")
  }

  @Test(.enabled(if: hasFFmpeg, "ffmpeg is not installed"), arguments: ["x.mp4", "x.webp"])
  func aVideoIsOneFile(name: String) throws {
    let folder = try TemporaryFolder()
    let preview = "\(folder.path)/preview.png"
    let outcome = try generate(
      "--frames", "5", "-b", "2", "-o", "\(folder.path)/\(name)", "--preview", preview, "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let second = name.replacing(".", with: "-1.")
    #expect(folder.names == ["preview.png", second, name].sorted())
    let reports = try outcome.output.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
    #expect(reports.map { $0["path"]?.string } == ["\(folder.path)/\(name)", "\(folder.path)/\(second)"])
    #expect(reports[0]["settings"]?["fps"]?.double == 15 && reports[0]["paths"] == nil)
    // The preview is the first frame.
    let size = try PNG.size(of: [UInt8](Data(contentsOf: URL(filePath: preview))))
    #expect(size.width == 32 && size.height == 32)
    let bytes = try Data(contentsOf: URL(filePath: "\(folder.path)/\(name)"))
    #expect(name == "x.webp" || bytes.range(of: Data("\"frames\":5".utf8)) != nil)
  }

  @Test(.enabled(if: hasFFmpeg, "ffmpeg is not installed")) func withoutMetadataAVideoSaysNothing() throws {
    let folder = try TemporaryFolder()
    #expect(try generate("--frames", "5", "--no-metadata", "-o", "\(folder.path)/x.mp4").status == 0)
    let bytes = try Data(contentsOf: URL(filePath: "\(folder.path)/x.mp4"))
    #expect(bytes.range(of: Data("a cat".utf8)) == nil)
  }

  @Test(arguments: [
    (["--frames", "0"], "--frames"), (["--frames", "-3"], "--frames"), (["--frames", "6"], "1, 5, 9"),
    (["--frames", "100000"], "4097"), (["--frames", "5.5"], "5.5"), (["--fps", "0"], "--fps"),
    (["--fps", "nan"], "--fps"), (["--fps", "241"], "240"), (["--frames", "5", "-o", "x.png"], "--output"),
    (["--frames", "5", "-o", "x.avi"], "--output"), (["--frames", "5", "-o", "x-%s.png"], "--output"),
    (["--prompt-2", "b", "--frames", "5"], "--prompt-2"), (["--class-label", "1"], "exclude"),
    (["--cfg-channels", "three"], "--cfg-channels"),
  ])
  func wrongOptionsAreOneSentence(arguments: [String], part: String) throws {
    let outcome = try Program.run(
      ["generate", "-m", TinyModels.hunyuan, "-p", "a cat"] + TinyModels.small + arguments)
    expectRefusal(outcome, .usage, part)
  }

  @Test(arguments: ["--frames", "--fps"]) func aModelOfPicturesMakesNoVideo(option: String) throws {
    expectRefusal(try TinyModels.generate(TinyModels.dev, "-p", "a", option, "5"), .usage, option, "HunyuanVideo")
    #expect(try TinyModels.generate(TinyModels.dev, "-p", "a", "--frames", "1", "-o", "/proc/x.png").status == 73)
  }

  @Test func aMissingFfmpegIsSaidBeforeTheWork() throws {
    let folder = try TemporaryFolder()
    expectRefusal(
      try generate(
        "--frames", "5", "--steps", "10000", "--cache", "none", "-o", "\(folder.path)/x.mp4",
        environment: ["PATH": folder.path]), .output, "ffmpeg", "PATH", "--output frame-%04d.png")
    #expect(folder.names == [])
  }

  @Test func aVideoThatFfmpegDoesNotWriteIsSavedFrameByFrame() throws {
    let (folder, temporary) = (try TemporaryFolder(), try TemporaryFolder())
    // It does the first time, when it is tried, and not the second.
    let program = try folder.file(
      "bin/ffmpeg",
      """
      #!/bin/sh
      /bin/cat > /dev/null
      if [ -e "$0.tried" ]; then echo "no more of this" >&2; exit 3; fi
      : > "$0.tried"
      """)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
    let outcome = try generate(
      "--frames", "5", "-q", "-o", "\(folder.path)/x.mp4",
      environment: ["PATH": "\(folder.path)/bin", "TMPDIR": temporary.path])
    expectRefusal(outcome, .output, "status 3", "no more of this", temporary.path)
    let saved = try #require(temporary.names.first)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(temporary.path)/\(saved)").count == 5)
    #expect(try TinyModels.settings("\(temporary.path)/\(saved)/0004.png")["frames"] == 5)
    #expect(folder.names == ["bin"])
  }

  @Test(.enabled(if: hasFFmpeg, "ffmpeg is not installed")) func anMP4IsRenderedAgainAndInspected() throws {
    let folder = try TemporaryFolder()
    let (video, again) = ("\(folder.path)/x.mp4", "\(folder.path)/y.mp4")
    #expect(try generate("--frames", "5", "--fps", "7.5", "--seed", "3", "-o", video).status == 0)
    let made = try Program.run("generate", "--from", video, "-o", again)
    #expect(made.status == 0, "\(made.errors)")
    #expect(try Data(contentsOf: URL(filePath: video)) == Data(contentsOf: URL(filePath: again)))
    let report = try JSONValue(parsing: try Program.run("inspect", video, "--json").output)
    #expect(report["kind"]?.string == "mp4" && report["clusca"]?["fps"]?.double == 7.5)
    #expect(report["clusca"]?["seed"] == 3 && report["clusca"]?["prompt"]?.string == "a cat")
    let silent = "\(folder.path)/z.mp4"
    #expect(try generate("--frames", "5", "--no-metadata", "-o", silent).status == 0)
    expectRefusal(try Program.run("generate", "--from", silent), .input, silent, "does not say")
  }

  @Test func aListOfVideosGoesOnWhereItStopped() throws {
    let folder = try TemporaryFolder()
    let list = try folder.file(
      "list.csv", "prompt,output\na cat,\(folder.path)/a-%d.png\na dog,\(folder.path)/b-%d.png\n")
    func render() throws -> Program.Outcome {
      try Program.run(
        ["generate", "-m", TinyModels.hunyuan, "--prompts-file", list, "--frames", "5"] + TinyModels.small)
    }
    #expect(try render().status == 0)
    #expect(folder.names.count == 11)
    let again = try render()
    #expect(again.status == 0 && again.output.isEmpty && again.errors.contains("2 pictures are there already"))
    // A video that lacks its last frame was not finished.
    try FileManager.default.removeItem(atPath: "\(folder.path)/b-4.png")
    expectRefusal(try render(), .output, "b-0.png exists")
  }

  @Test(.enabled(if: hasFFmpeg, "ffmpeg is not installed")) func aListOfMP4sGoesOnWhereItStopped() throws {
    let folder = try TemporaryFolder()
    let list = try folder.file("list.csv", "prompt,output\na cat,\(folder.path)/a.mp4\na dog,\(folder.path)/b.mp4\n")
    func render() throws -> Program.Outcome {
      try Program.run(
        ["generate", "-m", TinyModels.hunyuan, "--prompts-file", list, "--frames", "5"] + TinyModels.small)
    }
    #expect(try render().status == 0)
    try FileManager.default.removeItem(atPath: "\(folder.path)/b.mp4")
    let again = try render()
    #expect(again.status == 0 && again.output == "\(folder.path)/b.mp4\n", "\(again.errors)")
  }

  @Test func workersMakeTheSameFrames() throws {
    let folder = try TemporaryFolder()
    let options = ["--frames", "5", "-n", "fog", "--cfg-scale", "2", "--steps", "7", "-q"]
    for (name, workers) in [("a", []), ("b", ["--workers", "3"])] {
      let outcome = try Program.run(
        ["generate", "-m", TinyModels.hunyuan, "-p", "a cat"] + TinyModels.small + options + workers
          + ["-o", "\(folder.path)/\(name)-%d.png"])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    for frame in 0..<5 {
      let files = try ["a", "b"].map { try Data(contentsOf: URL(filePath: "\(folder.path)/\($0)-\(frame).png")) }
      #expect(files[0] == files[1])
    }
  }

  @Test func aManifestOfAVideoIsChecked() throws {
    let folder = try TemporaryFolder()
    let manifest = "\(folder.path)/m.json"
    let made = try generate("--frames", "5", "--manifest", manifest, "-o", "\(folder.path)/f-%d.png")
    #expect(made.status == 0, "\(made.errors)")
    let checked = try Program.run("check", manifest, "-q")
    #expect(checked.status == 0 && checked.output == "f-0.png: all 2 steps are equal\n", "\(checked.errors)")
  }

  @Test func comparedVideosAreStripsOfTheirFrames() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try Program.run(
      ["compare", "-m", TinyModels.hunyuan, "-p", "a", "--frames", "5", "-o", path, "--json"] + TinyModels.small)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let size = try PNG.size(of: [UInt8](Data(contentsOf: URL(filePath: path))))
    #expect(size.width == 32 && size.height == 5 * 32)
  }

  @Test func theModelIsInspectedAsOneOfItsFamily() throws {
    let outcome = try Program.run("inspect", TinyModels.hunyuan)
    #expect(outcome.status == 0 && outcome.output.contains("HunyuanVideoPipeline"), "\(outcome.errors)")
    #expect(outcome.output.contains("family: hunyuan"))
  }
}
