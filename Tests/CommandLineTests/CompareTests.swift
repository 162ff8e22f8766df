import Media
import StrictJSON
import Testing

@testable import clusca

struct CompareTests {
  @Test func equalPicturesAreEqual() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a.png", try Samples.png())
    let text = try Program.run("compare", path, path, "--min-psnr", "60")
    #expect(text.status == 0 && text.output.contains("infinite"))
    let json = try JSONValue(parsing: try Program.run("compare", path, path, "--json").output)
    #expect(json["identical"] == true && json["psnr_db"] == .null && json["ssim"] == 1.0)
  }

  @Test func aDistanceBeyondTheThresholdHasItsOwnStatus() throws {
    let folder = try TemporaryFolder()
    let a = try folder.file("a.png", try Samples.png(grey: 100))
    let b = try folder.file("b.png", try Samples.png(grey: 110))
    // 10 log10(255^2 / 10^2) = 28.13
    let json = try JSONValue(parsing: try Program.run("compare", a, b, "--json").output)
    #expect(abs((json["psnr_db"]?.double ?? 0) - 28.1308) < 1e-3)
    #expect(json["maximum_difference"] == 10)
    #expect(try Program.run("compare", a, b, "--min-psnr", "28").status == 0)
    let outcome = try Program.run("compare", a, b, "--min-psnr", "29")
    #expect(outcome.status == ExitStatus.differences.rawValue)
    #expect(outcome.hasOneSentence && outcome.errors.contains("28.13 dB"))
    #expect(outcome.output.contains("PSNR"))
  }

  @Test func theDifferencePictureIsAmplifiedAndNeverReplacesAFileUnasked() throws {
    let folder = try TemporaryFolder()
    let a = try folder.file("a.png", try Samples.png(grey: 100))
    let b = try folder.file("b.png", try Samples.png(grey: 110))
    let place = "\(folder.path)/d.png"
    for _ in 0..<2 { #expect(try Program.run("compare", a, b, "--difference", place, "--amplify", "3").status == 0) }
    #expect(folder.names == ["a.png", "b.png", "d-1.png", "d.png"])
    #expect(try PNG.decode(try PNG.file(place))[0, 0] == Colour(red: 30, green: 30, blue: 30))
    #expect(try Program.run("compare", a, b, "--difference", place, "--force").status == 0)
    #expect(folder.names.count == 4)
    #expect(try PNG.decode(try PNG.file(place))[0, 0] == Colour(red: 100, green: 100, blue: 100))
  }

  @Test func picturesThatCannotBeComparedAreOneSentence() throws {
    let folder = try TemporaryFolder()
    let a = try folder.file("a.png", try Samples.png())
    let wide = try folder.file("wide.png", try Samples.png(width: 17))
    let text = try folder.file("text.png", "text")
    for (first, second) in [(a, wide), (a, text), (text, a), (a, "/nowhere.png"), (a, folder.path)] {
      let outcome = try Program.run("compare", first, second)
      #expect(outcome.status == ExitStatus.input.rawValue)
      #expect(outcome.hasOneSentence && outcome.output.isEmpty, "\(outcome.errors)")
      #expect(outcome.errors.contains(first == text ? first : second))
    }
  }

  @Test func aPlaceThatCannotBeWrittenIsSaidFirst() throws {
    let folder = try TemporaryFolder()
    let a = try folder.file("a.png", try Samples.png())
    for place in ["/nowhere/d.png", "/dev/null", folder.path] {
      let outcome = try Program.run("compare", a, "/nowhere.png", "--difference", place)
      #expect(outcome.status == ExitStatus.output.rawValue)
      #expect(outcome.hasOneSentence && outcome.errors.contains(place), "\(outcome.errors)")
    }
  }
}
