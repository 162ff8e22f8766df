import Foundation
import Media
import StrictJSON
import Testing

@testable import clusca

struct GenerateTests {
  @Test func aPromptBecomesAPictureThatTellsHowItWasMade() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try TinyModels.generate(TinyModels.dev, "-p", "a cat", "-o", path, "--seed", "7")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output == path + "\n")
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("full and"))

    let png = [UInt8](try Data(contentsOf: URL(filePath: path)))
    let size = try PNG.size(of: png)
    #expect(size.width == 32 && size.height == 32)
    let metadata = try PictureMetadata(png: png)
    #expect(metadata.parameters?.prompt == "a cat")
    let settings = try #require(metadata.clusca)
    #expect(settings["prompt"]?.string == "a cat" && settings["seed"]?.int == 7 && settings["steps"]?.int == 2)
    #expect(settings["model"]?.string == TinyModels.dev && settings["cache"]?["method"]?.string == "clusca")
    #expect(folder.names == ["x.png"])
  }

  @Test func aPictureIsRenderedAgainToTheSameBytes() throws {
    let folder = try TemporaryFolder()
    let (first, second) = ("\(folder.path)/1.png", "\(folder.path)/2.png")
    let made = try TinyModels.generate(
      TinyModels.dev, "-p", "e\u{301}t\u{E9}", "--prompt-2", "summer", "-n", "fog", "--cfg-scale", "2.5", "--seed",
      "18446744073709551", "--cache", "taylorseer", "--cache-option", "max_order=2", "--dtype", "bf16",
      "--noise-dtype", "bf16", "--guidance", "2", "-o", first)
    #expect(made.status == 0, "\(made.errors)")
    let again = try Program.run("generate", "--from", first, "-o", second)
    #expect(again.status == 0, "\(again.errors)")
    #expect(try Data(contentsOf: URL(filePath: first)) == Data(contentsOf: URL(filePath: second)))

    let other = "\(folder.path)/3.png"
    #expect(try Program.run("generate", "--from", first, "--seed", "1", "--steps", "3", "-o", other).status == 0)
    let settings = try TinyModels.settings(other)
    #expect(settings["seed"] == 1 && settings["steps"] == 3 && settings["prompt_2"] == "summer")
  }

  @Test func aPictureOfAnotherProgramCannotBeRenderedAgain() throws {
    let folder = try TemporaryFolder()
    let silent = try folder.file("silent.png", Samples.png())
    let outcome = try Program.run("generate", "--from", silent, "-o", "\(folder.path)/x.png")
    #expect(outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence)
    #expect(outcome.errors.contains(silent))
    let odd = try folder.file("odd.png", Samples.png(settings: ["prompt": "a", "model": "m", "steps": "many"]))
    let second = try Program.run("generate", "--from", odd, "-m", TinyModels.dev, "-o", "\(folder.path)/x.png")
    #expect(second.status == ExitStatus.input.rawValue && second.errors.contains("\"steps\""), "\(second.errors)")
  }

  @Test func theNumberOfThreadsDoesNotChangeThePicture() throws {
    let pictures = try ["1", "2", "4"].map { try TinyModels.picture(TinyModels.dev, "-t", $0, "--steps", "7") }
    #expect(pictures[0] == pictures[1] && pictures[0] == pictures[2])
  }

  @Test func seedsAndBatchesGiveNumberedPictures() throws {
    let folder = try TemporaryFolder()
    let outcome = try TinyModels.generate(
      TinyModels.dev, "-p", "a", "-s", "5", "-s", "9", "-b", "2", "-o", "\(folder.path)/x_%04d.png")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(folder.names == ["x_0000.png", "x_0001.png", "x_0002.png", "x_0003.png"])
    let seeds = try folder.names.map { try TinyModels.settings("\(folder.path)/\($0)")["seed"] }
    #expect(seeds == [5, 6, 9, 10])

    let bySeed = try TinyModels.generate(
      TinyModels.dev, "-p", "a", "-s", "5", "-s", "6", "-o", "\(folder.path)/s/%s.png")
    #expect(bySeed.output == "\(folder.path)/s/5.png\n\(folder.path)/s/6.png\n")
    let alone = try Data(contentsOf: URL(filePath: "\(folder.path)/s/6.png"))
    #expect(try alone == Data(contentsOf: URL(filePath: "\(folder.path)/x_0001.png")))
  }

  @Test func aRandomSeedIsWrittenDown() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    #expect(try TinyModels.generate(TinyModels.schnell, "-p", "a", "-s", "-1", "-o", path).status == 0)
    let seed = try #require(try TinyModels.settings(path)["seed"]?.int)
    let again = try TinyModels.generate(TinyModels.schnell, "-p", "a", "-s", "\(seed)", "-o", "\(folder.path)/y.png")
    #expect(again.status == 0)
    #expect(
      try Data(contentsOf: URL(filePath: path)) == Data(contentsOf: URL(filePath: "\(folder.path)/y.png")))
  }

  @Test func aTakenNameGetsANumberUnlessForced() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("x.png", "not a picture")
    let numbered = try TinyModels.generate(TinyModels.schnell, "-p", "a", "-o", path)
    #expect(numbered.output == "\(folder.path)/x-1.png\n")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "not a picture")
    let forced = try TinyModels.generate(TinyModels.schnell, "-p", "a", "-o", path, "--force")
    #expect(forced.output == path + "\n")
    #expect(folder.names == ["x-1.png", "x.png"])
    #expect(
      try Data(contentsOf: URL(filePath: path)) == Data(contentsOf: URL(filePath: "\(folder.path)/x-1.png")))
  }

  @Test func aPromptCanComeFromTheStandardInput() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try TinyModels.generate(TinyModels.schnell, "-p", "-", "-o", path, input: "two\nlines \u{1F408}\n")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try TinyModels.settings(path)["prompt"] == "two\nlines \u{1F408}")
  }

  @Test func withoutAModelTheOneOfTheProgramIsUsed() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try Program.run(
      "generate", "-p", "a red circle", "--steps", "1", "--cfg-scale", "1", "-o", path)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try TinyModels.settings(path)["model"] == "default")
  }

  @Test func jsonIsOneObjectAPicture() throws {
    let folder = try TemporaryFolder()
    let outcome = try TinyModels.generate(
      TinyModels.dev, "-p", "a", "-b", "2", "--json", "-q", "--steps", "6", "-o", "\(folder.path)/%d.png")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == 2)
    for (index, line) in lines.enumerated() {
      let json = try JSONValue(parsing: String(line))
      let path = try #require(json["path"]?.string)
      #expect(path == "\(folder.path)/\(index).png")
      var made = try TinyModels.settings(path)
      made["version"] = nil
      #expect(json["settings"]?.object?.count == made.count && json["settings"]?["seed"]?.int == index)
      #expect(json["cache"]?["full_steps"]?.int == 3 && json["cache"]?["cached_steps"]?.int == 3)
      #expect(json["seconds"]?["total"]?.double != nil)
    }
  }

  @Test func quietMeansNothingButErrors() throws {
    let folder = try TemporaryFolder()
    let outcome = try TinyModels.generate(
      TinyModels.schnell, "-p", "a", "-q", "-W", "33", "--guidance", "3", "-n", "x", "-o", "\(folder.path)/x.png")
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
  }

  @Test func aSizeThatDoesNotDivideIsRoundedDownAndSaidSo() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try TinyModels.generate(TinyModels.schnell, "-p", "a", "-W", "47", "-H", "33", "-o", path)
    #expect(outcome.status == 0)
    #expect(outcome.errors.contains("width of 47 is rounded down to 32"), "\(outcome.errors)")
    #expect(outcome.errors.contains("height of 33 is rounded down to 32"))
    #expect(try TinyModels.settings(path)["width"] == 32)
  }

  @Test func aPromptThatIsTooLongIsCutAndSaidSo() throws {
    let folder = try TemporaryFolder()
    let prompt = String(repeating: "cat ", count: 100)
    let outcome = try TinyModels.generate(TinyModels.schnell, "-p", prompt, "-o", "\(folder.path)/x.png")
    #expect(outcome.status == 0 && outcome.errors.contains("--max-sequence-length"), "\(outcome.errors)")
  }
}
