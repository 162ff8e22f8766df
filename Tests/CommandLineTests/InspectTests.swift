import Foundation
import StrictJSON
import Testing

@testable import clusca

struct InspectTests {
  @Test func aCheckpointIsShownPartByPart() throws {
    let folder = try TemporaryFolder()
    let path = try Samples.checkpoint(in: folder, at: "model")
    let text = try Program.run("inspect", path)
    #expect(text.status == 0)
    #expect(text.output.contains("FluxPipeline, 8 parameters, 28 bytes"))
    #expect(text.output.contains("num_layers  19"))
    #expect(text.output.contains("2 of F32 (1), BF16 (1)"))
    #expect(!text.output.contains("weight"))

    let json = try Program.run("inspect", path, "--json", "--tensors")
    let document = try JSONValue(parsing: json.output)
    #expect(document["kind"]?.string == "checkpoint")
    #expect(document["parts"]?[0]?["class"]?.string == "FlowMatchEulerDiscreteScheduler")
    #expect(document["parts"]?[1]?["configuration"] == ["num_layers": 19])
    #expect(document["parts"]?[1]?["dtypes"]?["BF16"]?["parameters"]?.int == 2)
    #expect(document["parts"]?[1]?["tensors"]?[0] == ["name": "weight", "dtype": "F32", "shape": [2, 3]])
  }

  @Test func aPartAndAFileAreShownAlone() throws {
    let folder = try TemporaryFolder()
    let path = try Samples.checkpoint(in: folder, at: "model")
    let part = try Program.run("inspect", "\(path)/transformer")
    #expect(part.status == 0 && part.output.contains("FluxTransformer2DModel"))
    let file = try Program.run(
      "inspect", "\(path)/transformer/diffusion_pytorch_model.safetensors", "--tensors")
    #expect(file.status == 0)
    #expect(file.output.contains("format  pt") && file.output.contains("weight  F32 [2, 3]"))
  }

  @Test func aModelOfTheCacheIsFoundByName() throws {
    let folder = try TemporaryFolder()
    let commit = String(repeating: "a", count: 40)
    _ = try Samples.checkpoint(in: folder, at: "models--org--model/snapshots/\(commit)")
    try folder.file("models--org--model/refs/main", commit)
    let environment = ["HF_HUB_CACHE": folder.path]
    let found = try Program.run("inspect", "org/model", environment: environment)
    #expect(found.status == 0 && found.output.contains("FluxPipeline"))
    let missing = try Program.run("inspect", "org/other", environment: environment)
    #expect(missing.status == ExitStatus.input.rawValue && missing.hasOneSentence)
    #expect(missing.errors.contains("hf download org/other"))

    let doctor = try Program.run("doctor", "--json", environment: environment)
    let cache = try #require(try JSONValue(parsing: doctor.output)["hugging_face_cache"])
    #expect(cache["models"]?[0]?["name"]?.string == "org/model")
    #expect(cache["models"]?[0]?["description"]?.string == "FluxPipeline, 8 parameters, 28 bytes")
  }

  @Test func aPictureTellsHowItWasMade() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(
      "x.png", try Samples.png(settings: ["seed": 7], prompt: "a cat\u{1B}[2J\nasleep"))
    let text = try Program.run("inspect", path)
    #expect(text.status == 0)
    #expect(
      text.output.contains("PNG of 16x12") && text.output.contains("  asleep") && text.output.contains("\"seed\": 7"))
    #expect(!text.output.contains("\u{1B}"))
    let json = try JSONValue(parsing: try Program.run("inspect", path, "--json").output)
    #expect(json["width"]?.int == 16 && json["clusca"] == ["seed": 7])
  }

  @Test func whatCannotBeUsedIsOneSentence() throws {
    let folder = try TemporaryFolder()
    let png = try Samples.png()
    var flipped = png
    flipped[png.count - 30] ^= 1
    let huge = Samples.safetensors.prefix(8).map { _ in UInt8(0xFF) } + Samples.safetensors.dropFirst(8)
    let paths = [
      "", "/nowhere", "a b", "org/model/more", folder.path,
      try folder.file("empty.safetensors", ""), try folder.file("cut.safetensors", Samples.safetensors.dropLast()),
      try folder.file("huge.safetensors", huge), try folder.file("cut.png", png.prefix(40)),
      try folder.file("flipped.png", flipped), try folder.file("text.png", "no picture"), try folder.file("empty", ""),
      try folder.file("model.gguf", "GGUF...."), try folder.file("x.index.json", "{}"),
    ]
    for path in paths {
      let outcome = try Program.run("inspect", path, environment: ["HF_HUB_CACHE": folder.path])
      #expect([ExitStatus.input.rawValue, ExitStatus.usage.rawValue].contains(outcome.status), "\(path)")
      #expect(outcome.hasOneSentence, "\(path): \(outcome.errors)")
    }
  }

  @Test(arguments: [
    ("transformer/diffusion_pytorch_model.safetensors", ""), ("transformer/config.json", "{"),
    ("model_index.json", "[]"), ("model_index.json", #"{"vae":["diffusers","AutoencoderKL"]}"#),
    ("model_index.json", #"{"../x":["diffusers","AutoencoderKL"]}"#), ("model_index.json", "{}"),
  ])
  func aDamagedCheckpointIsOneSentence(file: String, text: String) throws {
    let folder = try TemporaryFolder()
    let path = try Samples.checkpoint(in: folder, at: "model")
    try folder.file("model/\(file)", text)
    let outcome = try Program.run("inspect", path)
    #expect(outcome.status == ExitStatus.input.rawValue)
    #expect(outcome.hasOneSentence, "\(outcome.errors)")
  }

  @Test func aPipeIsNotWaitedFor() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/pipe.safetensors"
    #expect(mkfifo(path, 0o600) == 0)
    let outcome = try Program.run("inspect", path)
    #expect(outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence)
  }
}
