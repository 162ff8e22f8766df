import Media
import StrictJSON
import Testing

@testable import clusca

struct CompareCachesTests {
  private static let small = ["--size", "32x32", "--steps", "6", "--max-sequence-length", "16", "--quiet"]

  private func compare(_ arguments: String...) throws -> Program.Outcome {
    try Program.run(["compare", "--prompt", "a fox"] + Self.small + arguments)
  }

  @Test func theSameCachingTwiceGivesTheSamePictureTwice() throws {
    let outcome = try compare("--cache", "clusca", "--with-cache", "clusca", "--json")
    let json = try JSONValue(parsing: outcome.output)
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    #expect(json["identical"] == true && json["flop_ratio"] == 1.0)
  }

  @Test func withoutOptionsClusCaIsComparedToNoCache() throws {
    let json = try JSONValue(parsing: try compare("--with-cache-option", "interval=2", "--json").output)
    #expect(json["first"]?["settings"]?["cache"]?["method"] == "none")
    #expect(json["second"]?["settings"]?["cache"]?["method"] == "clusca")
    #expect(json["second"]?["settings"]?["cache"]?["interval"] == 2)
    #expect(json["first"]?["cache"]?["full_steps"] == 6 && json["first"]?["path"] == .null)
    #expect((json["flop_ratio"]?.double ?? 0) > 1 && (json["time_ratio"]?.double ?? 0) > 0)
  }

  @Test func aKeptPictureIsTheOneThatGenerateMakes() throws {
    let folder = try TemporaryFolder()
    let (first, second, generated) = ("\(folder.path)/1.png", "\(folder.path)/2.png", "\(folder.path)/3.png")
    let outcome = try compare("--output", first, "--with-cache", "fora", "--with-output", second)
    #expect(outcome.status == 0 && outcome.output.contains("FLOP ratio") && outcome.output.contains("PSNR"))
    let made = try Program.run(
      ["generate", "--prompt", "a fox", "--cache", "fora", "--output", generated] + Self.small)
    #expect(made.status == 0)
    #expect(try PNG.file(second) == PNG.file(generated))
    #expect(try PNG.decode(PNG.file(first)) != PNG.decode(PNG.file(second)))
  }

  @Test func tooLargeADistanceHasItsOwnStatus() throws {
    let outcome = try compare("--with-cache", "fora", "--min-psnr", "300")
    #expect(outcome.status == ExitStatus.differences.rawValue)
    #expect(outcome.hasOneSentence && outcome.output.contains("PSNR"))
  }

  @Test(arguments: [
    ["--prompt", "a fox", "a.png", "b.png"], ["a.png"], [], ["a.png", "b.png", "--cache", "none"],
    ["a.png", "b.png", "--with-cache", "fora"], ["--prompt", "a fox", "--seed", "1", "--seed", "2"],
    ["--prompt", "a fox", "--cache", "none", "--cache-option", "interval=3"],
    ["--prompt", "a fox", "--with-cache", "fora", "--with-cache-option", "cluster_num=3"],
  ])
  func optionsThatDoNotGoTogetherAreOneSentence(arguments: [String]) throws {
    let outcome = try Program.run(["compare"] + arguments)
    #expect(outcome.status == ExitStatus.usage.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
  }
}
