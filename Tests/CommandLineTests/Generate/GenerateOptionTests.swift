import Foundation
import StrictJSON
import Testing

@testable import clusca

struct GenerateOptionTests {
  @Test(arguments: [
    ("none", 0, 12), ("fora", 8, 4), ("taylorseer", 8, 4), ("clusca", 8, 4), ("toca", 7, 5), ("duca", 8, 4),
    ("taylorseer-lite", 8, 4),
  ])
  func everyCachingMethodComputesFewerSteps(method: String, cached: Int, full: Int) throws {
    let folder = try TemporaryFolder()
    let outcome = try TinyModels.generate(
      TinyModels.dev, "-p", "a cat", "--steps", "12", "--cache", method, "--json", "-o", "\(folder.path)/x.png")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let json = try JSONValue(parsing: outcome.output)
    #expect(json["settings"]?["cache"]?["method"]?.string == method)
    #expect(json["cache"]?["full_steps"]?.int == full && json["cache"]?["cached_steps"]?.int == cached, "\(json)")
  }

  @Test func cachingMethodsGiveDifferentPictures() throws {
    let pictures = try ["none", "fora", "taylorseer", "clusca"].map {
      try TinyModels.picture(TinyModels.dev, "--steps", "12", "--cache", $0)
    }
    #expect(Set(pictures).count == 4)
    // Without clusters ClusCa is TaylorSeer.
    let bare = try TinyModels.picture(
      TinyModels.dev, "--steps", "12", "--cache", "clusca", "--cache-option", "cluster_num=0")
    #expect(bare == pictures[2])
  }

  @Test(arguments: [("quality", 3), ("balanced", 5), ("fast", 7)])
  func presetsSetTheDistanceOfFullSteps(preset: String, interval: Int) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    #expect(try TinyModels.generate(TinyModels.dev, "-p", "a", "--cache-preset", preset, "-o", path).status == 0)
    #expect(try TinyModels.settings(path)["cache"]?["interval"]?.int == interval)
  }

  @Test(arguments: [(TinyModels.dev, ["-p", "a"], 5), (TinyModels.dit, ["--class-label", "0"], 4)])
  func balancedIsTheFamilysOwnDistanceAlsoWhereAPictureIsRenderedAgain(
    model: String, subject: [String], interval: Int
  ) throws {
    let folder = try TemporaryFolder()
    let (first, again) = ("\(folder.path)/x.png", "\(folder.path)/y.png")
    let fast = ["generate", "-m", model, "--steps", "2", "--cache-preset", "fast", "-o", first] + subject
    #expect(try Program.run(fast).status == 0)
    #expect(try Program.run("generate", "--from", first, "--cache-preset", "balanced", "-o", again).status == 0)
    #expect(try TinyModels.settings(first)["cache"]?["interval"] == 7)
    #expect(try TinyModels.settings(again)["cache"]?["interval"]?.int == interval)
  }

  @Test func everyCachingOptionIsTaken() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let options =
      "interval=4,first_enhance=2,max_order=2,cluster_num=5,propagation_ratio=1,kmeans_iterations=3,quirks=authors,"
      + "outputs=bfloat16,differences=bfloat16"
    let outcome = try TinyModels.generate(
      TinyModels.dev, "-p", "a", "--steps", "9", "--cache-option", options, "-o", path)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let cache = try #require(try TinyModels.settings(path)["cache"])
    #expect(cache["interval"] == 4 && cache["first_enhance"] == 2 && cache["max_order"] == 2)
    #expect(cache["cluster_num"] == 5 && cache["propagation_ratio"]?.double == 1 && cache["quirks"] == "authors")
    #expect(cache["kmeans_iterations"] == 3)
    #expect(cache["outputs"] == "bfloat16" && cache["differences"] == "bfloat16")
    let again = "\(folder.path)/again.png"
    #expect(try Program.run("generate", "--from", path, "-o", again).status == 0)
    #expect(try Data(contentsOf: URL(filePath: path)) == Data(contentsOf: URL(filePath: again)))
  }

  @Test(arguments: [
    "cluster_num=65536", "max_order=8", "interval=1", "interval=10000", "first_enhance=10000", "kmeans_iterations=1",
    "propagation_ratio=0", "N=3,E=1,O=0,K=1,gamma=1",
  ])
  func cachingOptionsWorkAtTheirLimits(options: String) throws {
    #expect(try TinyModels.picture(TinyModels.dev, "--steps", "6", "--cache-option", options).count > 100)
  }

  @Test(arguments: [
    (["--cache", "tea"], "--cache"), (["--cache-preset", "faster"], "--cache-preset"),
    (["--cache-option", "interval"], "interval"), (["--cache-option", ""], "--cache-option"),
    (["--cache-option", "interval=0"], "\"0\""), (["--cache-option", "cluster_num=70000"], "70000"),
    (["--cache-option", "propagation_ratio=nan"], "nan"), (["--cache-option", "max_order=9"], "\"9\""),
    (["--cache-option", "outputs=int8"], "\"int8\""), (["--cache-option", "interval=3,colour=red"], "colour"),
    (["--cache-option", "quirks=some"], "some"),
    (["--cache", "fora", "--cache-option", "cluster_num=3"], "fora"),
    (["--cache", "none", "--cache-option", "interval=3"], "none"),
  ])
  func unknownCachingIsWrongUsage(arguments: [String], part: String) throws {
    let outcome = try Program.run(["generate", "-m", TinyModels.dev, "-p", "a", "-o", "/nowhere/x.png"] + arguments)
    #expect(outcome.status == ExitStatus.usage.rawValue)
    #expect(outcome.hasOneSentence && outcome.errors.contains(part), "\(outcome.errors)")
  }

  @Test func aNegativePromptCountsWithClassifierFreeGuidanceOnly() throws {
    let plain = try TinyModels.picture(TinyModels.dev)
    let without = try TinyModels.picture(TinyModels.dev, "-n", "fog")
    let guided = try TinyModels.picture(TinyModels.dev, "-n", "fog", "--cfg-scale", "3")
    let otherwise = try TinyModels.picture(TinyModels.dev, "-n", "rain", "--cfg-scale", "3")
    #expect(plain == without && guided != plain && otherwise != guided)
    let folder = try TemporaryFolder()
    let outcome = try TinyModels.generate(TinyModels.dev, "-p", "a", "-n", "fog", "-o", "\(folder.path)/x.png")
    #expect(outcome.errors.contains("--cfg-scale above 1"))
  }

  @Test func guidanceCountsForModelsThatTakeItOnly() throws {
    #expect(try TinyModels.picture(TinyModels.dev, "--guidance", "1") != TinyModels.picture(TinyModels.dev))
    #expect(
      try TinyModels.picture(TinyModels.schnell, "--guidance", "1") == TinyModels.picture(TinyModels.schnell))
    let folder = try TemporaryFolder()
    let outcome = try TinyModels.generate(
      TinyModels.schnell, "-p", "a", "--guidance", "1", "-o", "\(folder.path)/x.png")
    #expect(outcome.status == 0 && outcome.errors.contains("--guidance has no effect"))
  }

  @Test func everyOptionOfThePictureChangesIt() throws {
    let plain = try TinyModels.picture(TinyModels.dev)
    for options in [
      ["-s", "1"], ["--dtype", "bf16"], ["--noise-dtype", "bf16"], ["--steps", "3"], ["--prompt-2", "a dog"],
      ["--max-sequence-length", "8"], ["--size", "32x48"],
    ] {
      let folder = try TemporaryFolder()
      let path = "\(folder.path)/x.png"
      let size = options[0] == "--size" ? [] : ["-W", "32", "-H", "32"]
      let outcome = try Program.run(
        [
          "generate", "-m", TinyModels.dev, "--steps", "2", "--max-sequence-length", "16", "-p", "a cat",
          "--no-metadata", "-o", path,
        ] + size + options)
      // An option that is given twice counts the last time.
      #expect(outcome.status == 0, "\(options): \(outcome.errors)")
      #expect(try Data(contentsOf: URL(filePath: path)) != plain, "\(options)")
    }
    // The tiles of this model are larger than the picture.
    #expect(try TinyModels.picture(TinyModels.dev, "--vae-tiling", "on") == plain)
  }

  @Test func withoutAPromptAPictureIsMadeOnRequestOnly() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    #expect(try TinyModels.generate(TinyModels.schnell, "--unconditional", "-o", path).status == 0)
    #expect(try TinyModels.settings(path)["prompt"] == "")
    #expect(try Program.run("generate", "--from", path, "-o", "\(folder.path)/y.png").status == 0)
  }
}
