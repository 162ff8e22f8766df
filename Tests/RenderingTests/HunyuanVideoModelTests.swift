import FeatureCaching
import Files
import Foundation
import StrictJSON
import Tensors
import Testing
import Transformers

@testable import Rendering

/// HunyuanVideo through the pipeline: from a request to frames.
@Suite struct HunyuanVideoModelTests {
  static let folder =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
    + "/Fixtures/reference/checkpoints/hunyuan-tiny"

  private func model() throws -> HunyuanVideoModel {
    HunyuanVideoModel(try HunyuanVideoCheckpoint(folder: Self.folder))
  }

  private func request(_ prompt: String = "a cat", frames: Int = 5, cfgScale: Double = 1) -> RenderRequest {
    RenderRequest(
      subject: .prompt(PromptText(prompt)), negative: .prompt(PromptText("fog")), width: 48, height: 32,
      frames: frames, steps: 3, guidance: 6, cfgScale: cfgScale, seed: 7, textTokens: 16, cache: .hunyuan)
  }

  @Test func theCheckpointIsOpenedByItsPipeline() throws {
    let model = try RenderModels.open(.folder(Self.folder))
    #expect(model.family == "hunyuan" && model.sizeMultiple == 16 && model.framesPerLatent == 4)
    #expect(model.takesGuidance && !model.takesSecondPrompt && model.cachePreset == .hunyuan)
    #expect([1, 5, 9, 61].allSatisfy { model.makes(frames: $0) })
    #expect(![-3, 0, 2, 4, 6, 60].contains { model.makes(frames: $0) })
    #expect(model.grid(width: 48, height: 32, frames: 9) == TokenGrid(frames: 3, rows: 2, columns: 3))
  }

  @Test(arguments: [1, 5, 9, 25]) func aRequestBecomesFrames(frames: Int) async throws {
    let model = try model()
    let request = request(frames: frames)
    let session = try await RenderSession(model, [request], precision: .float32)
    let run = session.run(request)
    var last: Tensor?
    for try await step in run.steps { last = step.latents }
    let video = try session.decode(try #require(last), of: run)
    #expect(video.shape == [frames, 32, 48, 3])
    #expect(video.elements.allSatisfy { $0 >= 0 && $0 <= 1 })
    let first = try session.decodeFirstFrame(try #require(last), of: run)
    #expect(first.shape == [1, 32, 48, 3])
  }

  @Test func aNegativePromptChangesTheVideo() async throws {
    let model = try model()
    let requests = [request(), request(cfgScale: 3)]
    let session = try await RenderSession(model, requests, precision: .float32)
    var ends: [Tensor] = []
    for request in requests {
      for try await step in session.run(request).steps where step.index == 2 { ends.append(step.latents) }
    }
    #expect(ends.count == 2 && ends[0] != ends[1])
  }

  @Test func noiseIsThatOfTorchForAllFramesAtOnce() throws {
    let (model, grid) = (try model(), TokenGrid(frames: 3, rows: 2, columns: 3))
    var (generator, other) = (TorchGenerator(seed: 42), TorchGenerator(seed: 42))
    let tokens = model.noise(grid, rows: 1, &generator, .float32)
    #expect(tokens.shape == [18, 64])
    let drawn = Tensor(other.randn(16 * 3 * 4 * 6), shape: [16, 3, 4, 6])
    #expect(LatentPacking.unpack(video: tokens, grid) == drawn)
    #expect(LatentPacking.pack(video: drawn) == tokens)
  }

  @Test func aPromptIsCutToItsTokensAndPaddedBehindThem() throws {
    let encoders = try HunyuanVideoCheckpoint(folder: Self.folder).loadTextEncoders(.float32)
    let short = encoders.llamaIDs("a cat", maximumTokens: 32)
    #expect(short.ids.count == encoders.droppedTokens + 32 && short.cutCount == 0)
    #expect(short.tokens.lowerBound == 0 && short.tokens.count > encoders.droppedTokens)
    let long = encoders.llamaIDs(String(repeating: "a cat ", count: 50), maximumTokens: 32)
    #expect(long.ids.count == short.ids.count && long.tokens.count == long.ids.count && long.cutCount > 0)
    let encoded = try encoders.encode(.prompt(PromptText("a cat")), maximumTokens: 32)
    guard case .text(let text, let pooled, let valid) = encoded.condition else {
      Issue.record("no text")
      return
    }
    #expect(text.shape == [32, 56] && pooled.shape == [36])
    #expect(valid == short.tokens.count - encoders.droppedTokens)
  }

  @Test func aClassAndASecondPromptAreRefused() throws {
    let encoders = try HunyuanVideoCheckpoint(folder: Self.folder).loadTextEncoders(.float32)
    #expect(throws: SampleError.self) { try encoders.encode(.label(1), maximumTokens: 8) }
    #expect(throws: SampleError.self) {
      try encoders.encode(.prompt(PromptText("a", second: "b")), maximumTokens: 8)
    }
  }

  @Test func theMemoryIsEstimatedFromThePartsAndGrowsWithTheFrames() throws {
    let model = try model()
    let estimates = [1, 25].map { MemoryEstimate(model, [request(frames: $0)], precision: .float32) }
    #expect(estimates[0].cache < estimates[1].cache && estimates[0].decoding < estimates[1].decoding)
    let transformer = try model.loadTransformer(.float32, blocks: nil)
    #expect(estimates[0].transformer >= transformer.weightBytes)
    #expect(estimates[0].textEncoders > 0 && estimates[0].encoding > 0)
  }

  /// A copy whose files may be changed.
  private func refused(_ file: String, _ key: String, _ value: JSONValue) throws -> String {
    let folder = FileManager.default.temporaryDirectory.appending(path: "clusca-hunyuan-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: URL(filePath: Self.folder), to: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = folder.appending(path: file)
    var settings = try #require(try JSONValue(parsing: [UInt8](Data(contentsOf: url))).object)
    settings[key] = value
    try Data(JSONValue.object(settings).text().utf8).write(to: url)
    let error = #expect(throws: FileError.self) {
      try HunyuanVideoCheckpoint(folder: folder.path(percentEncoded: false)).checkTensors()
    }
    return error?.description ?? ""
  }

  @Test(
    arguments: [
      ("transformer/config.json", "text_embed_dim", 60, "text_embed_dim"),
      ("transformer/config.json", "pooled_projection_dim", 40, "pooled_projection_dim"),
      ("transformer/config.json", "in_channels", 33, "take a picture"),
      ("vae/config.json", "latent_channels", 8, "autoencoder has 8"),
      ("vae/config.json", "out_channels", 4, "not 3 of a picture"),
      ("text_encoder/config.json", "num_hidden_layers", 1, "Llama has 1 layer"),
      ("scheduler/scheduler_config.json", "use_dynamic_shifting", true, "use_dynamic_shifting"),
      ("scheduler/scheduler_config.json", "_class_name", "DDIMScheduler", "_class_name"),
    ] as [(String, String, JSONValue, String)])
  func partsThatDoNotFitAreRefused(file: String, key: String, value: JSONValue, reason: String) throws {
    let message = try refused(file, key, value)
    #expect(message.contains(reason), "\(message)")
  }
}
