import Foundation
import Media
import StrictJSON
import Testing

@testable import clusca

/// `clusca generate --class-label` with a DiT.
struct ClassLabelTests {
  private static let model = TinyModels.dit

  private func generate(_ arguments: String..., output: String) throws -> Program.Outcome {
    try Program.run(["generate", "-m", Self.model, "--steps", "6", "-o", output] + arguments)
  }

  private func pixels(_ arguments: String...) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try Program.run(
      ["generate", "-m", Self.model, "--steps", "6", "--no-metadata", "-o", path] + arguments)
    guard outcome.status == 0 else { throw CommandFailure(.failure, outcome.errors) }
    return try PNG.file(path)
  }

  @Test func aClassBecomesAPictureThatTellsHowItWasMade() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try generate("--class-label", "Tinca TINCA", "--seed", "7", output: path)
    #expect(outcome.status == 0 && outcome.output == path + "\n", "\(outcome.errors)")
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("full and"))
    let metadata = try PictureMetadata(png: PNG.file(path))
    #expect(metadata.parameters?.prompt == "tench, Tinca tinca")
    let settings = try #require(metadata.clusca?.object)
    #expect(settings["class_label"] == 0 && settings["class_name"] == "tench, Tinca tinca")
    #expect(settings["cfg_scale"] == 4.0 && settings["cfg_channels"] == "all" && settings["width"] == 96)
    #expect(settings["cache"]?["first_enhance"] == 2 && settings["cache"]?["max_order"] == 4)
    #expect(settings["prompt"] == nil && settings["guidance"] == nil)

    let again = "\(folder.path)/again.png"
    let repeated = try Program.run("generate", "--from", path, "-o", again)
    #expect(repeated.status == 0, "\(repeated.errors)")
    #expect(try PNG.file(path) == PNG.file(again))
    let other = try Program.run("generate", "--from", path, "--class-label", "goldfish", "-o", again, "--force")
    #expect(other.status == 0, "\(other.errors)")
    #expect(try TinyModels.settings(again)["class_label"] == 1)
  }

  @Test func numbersAndNamesMeanTheSame() throws {
    let number = try pixels("--class-label", "2")
    #expect(try pixels("--class-label", "WHITE SHARK") == number)
    #expect(try pixels("--class-label", "3") != number)
    #expect(try pixels("--class-label", "2", "--cfg-scale", "2") != number)
    #expect(try pixels("--class-label", "2", "--cfg-channels", "three") != number)
    #expect(try pixels("--class-label", "2", "--cfg-channels", "all", "--cfg-scale", "4") == number)
    #expect(try pixels("--class-label", "2", "-t", "1") == number)
    #expect(
      try pixels("--class-label", "2", "--cfg-scale", "1", "--cfg-channels", "three")
        == pixels("--class-label", "2", "--cfg-scale", "1"))
  }

  @Test func theSchedulerIsChosenAndKept() throws {
    let own = try pixels("--class-label", "2", "--cache", "none")
    #expect(try pixels("--class-label", "2", "--cache", "none", "--scheduler", "ddim") == own)
    let folder = try TemporaryFolder()
    let (first, second) = ("\(folder.path)/1.png", "\(folder.path)/2.png")
    for choice in ["ddpm", "dpmpp"] {
      let made = try generate("--class-label", "2", "--scheduler", choice, "--force", output: first)
      #expect(made.status == 0, "\(made.errors)")
      #expect(try TinyModels.settings(first)["scheduler"]?.string == choice)
      let again = try Program.run("generate", "--from", first, "-o", second, "--force")
      #expect(again.status == 0, "\(again.errors)")
      #expect(try PNG.file(first) == PNG.file(second))
    }
    let flux = try TinyModels.generate(TinyModels.dev, "-p", "a", "--scheduler", "ddpm", "-o", first)
    #expect(flux.status == Status.usage.rawValue && flux.hasOneSentence, "\(flux.errors)")
  }

  @Test func severalClassesAreSeveralPictures() throws {
    let folder = try TemporaryFolder()
    let outcome = try generate(
      "--class-label", "5", "--class-label", "goldfish", "-b", "2", output: "\(folder.path)/%02d-%s.png")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let names = ["00-0.png", "01-1.png", "02-0.png", "03-1.png"]
    #expect(folder.names == names)
    let labels = try names.map { try TinyModels.settings("\(folder.path)/\($0)")["class_label"]?.int }
    #expect(labels == [5, 5, 1, 1])
    let outcomeOfNone = try generate("--unconditional", output: "\(folder.path)/none.png")
    #expect(outcomeOfNone.status == 0, "\(outcomeOfNone.errors)")
    let none = try TinyModels.settings("\(folder.path)/none.png")
    #expect(none["class_label"] == .null && none["cfg_scale"] == 1.0)
  }

  @Test func aListMayNameClasses() throws {
    let folder = try TemporaryFolder()
    let list = try folder.file("list.csv", "class_label,seed\n5,3\ngoldfish,4\n")
    let arguments = [
      "generate", "-m", Self.model, "--steps", "3", "--prompts-file", list, "-o", "\(folder.path)/%d.png",
    ]
    let outcome = try Program.run(arguments)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try TinyModels.settings("\(folder.path)/1.png")["class_label"] == 1)
    let again = try Program.run(arguments)
    #expect(again.status == 0 && again.errors.contains("2 pictures are there already"), "\(again.errors)")
    let json = try folder.file("list.jsonl", #"{"class_label": 1, "prompt": "a"}"#)
    let both = try Program.run("generate", "-m", Self.model, "--prompts-file", json, "-o", "\(folder.path)/y.png")
    #expect(both.status == ExitStatus.input.rawValue && both.hasOneSentence, "\(both.errors)")
  }

  @Test func cachesAreComparedForAClass() throws {
    let outcome = try Program.run(
      "compare", "-m", Self.model, "--class-label", "goldfish", "--steps", "8", "--json", "--quiet")
    let json = try JSONValue(parsing: outcome.output)
    #expect(outcome.status == 0 && json["first"]?["settings"]?["class_label"] == 1, "\(outcome.errors)")
    #expect((json["flop_ratio"]?.double ?? 0) > 1)
  }

  @Test(arguments: [
    (["--class-label", "tenhc"], "tench"), (["--class-label", "1000"], "999"), (["--class-label", "-1"], "-1"),
    (["--class-label", ""], "class"), (["--class-label", "a\u{1B}[2J"], "class"), (["-p", "a fish"], "--class-label"),
    (["--class-label", "1", "-p", "a"], "exclude"), (["--class-label", "1", "--unconditional"], "exclude"),
    (["--class-label", "1", "-n", "fog"], "--negative-prompt"),
    (["--class-label", "1", "--prompt-2", "a"], "--prompt-2"),
    (["--class-label", "1", "--max-sequence-length", "9"], "--max-sequence-length"),
    (["--class-label", "1", "-W", "64"], "96 x 96"), (["--class-label", "1", "--size", "96x192"], "96 x 96"),
    (["--class-label", "1", "--steps", "1001"], "1000"), (["--class-label", "1", "--cfg-channels", "two"], "two"),
    (["--class-label", "1", "--cfg-scale", "nan"], "--cfg-scale"), (["--class-label"], "Missing value"),
  ])
  func wrongRequestsAreOneSentence(arguments: [String], part: String) throws {
    let folder = try TemporaryFolder()
    let outcome = try Program.run(["generate", "-m", Self.model, "-o", "\(folder.path)/x.png"] + arguments)
    let shown = arguments.joined(separator: " ")
    #expect(outcome.status == ExitStatus.usage.rawValue && outcome.hasOneSentence, "\(shown): \(outcome.errors)")
    #expect(outcome.errors.contains(part) && !outcome.errors.contains("\u{1B}"), "\(shown): \(outcome.errors)")
    #expect(folder.names.isEmpty)
  }

  @Test(arguments: [["--class-label", "1"], ["-p", "a", "--cfg-channels", "three"]])
  func aModelOfPromptsTakesNoClasses(arguments: [String]) throws {
    let outcome = try Program.run(["generate", "-m", TinyModels.dev, "-o", "/nowhere/x.png"] + arguments)
    #expect(outcome.status == ExitStatus.usage.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(outcome.errors.contains("--prompt"))
  }

  @Test(
    arguments: [
      ("scheduler/scheduler_config.json", "_class_name", "PNDMScheduler", "PNDMScheduler"),
      ("scheduler/scheduler_config.json", "clip_sample", true, "clip_sample"),
      ("transformer/config.json", "norm_type", "layer_norm", "norm_type"),
      ("transformer/config.json", "num_layers", 5, "transformer_blocks.4"),
      ("transformer/config.json", "num_embeds_ada_norm", 999, "id2label"),
      ("transformer/config.json", "in_channels", 8, "channels"), ("vae/config.json", "latent_channels", 16, "channels"),
      ("model_index.json", "id2label", [], "id2label"), ("model_index.json", "transformer", .null, "transformer"),
    ] as [(String, String, JSONValue, String)])
  func aCheckpointThatCannotBeUsedIsOneSentence(file: String, key: String, value: JSONValue, part: String) throws {
    let folder = try TemporaryFolder()
    let model = ModelFolder(path: try TinyModels.copy(of: Self.model, in: folder))
    try model.set(file, [(key, value)] + (key == "in_channels" ? [("out_channels", 16)] : []))
    let outcome = try Program.run(
      "generate", "-m", model.path, "--class-label", "1", "-o", "\(folder.path)/x.png")
    #expect(outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(outcome.errors.contains(part), "\(outcome.errors)")
    #expect(folder.names == ["model"])
  }

  @Test func inspectShowsTheFamily() throws {
    let outcome = try Program.run("inspect", Self.model)
    #expect(outcome.status == 0 && outcome.output.contains("DiTPipeline") && outcome.output.contains("family: dit"))
    let json = try JSONValue(parsing: try Program.run("inspect", Self.model, "--json").output)
    #expect(json["family"] == "dit")
  }
}
