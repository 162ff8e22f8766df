import Files
import StrictJSON
import Tensors
import Testing

@testable import Autoencoders

/// HunyuanVideo's decoder: what diffusers gives, tiles of frames and of their parts, bad input.
@Suite struct VideoDecoderTests {
  private static let vae = "\(DecoderGoldens.folder)/checkpoints/hunyuan-tiny/vae"

  private static func configuration() throws -> AutoencoderKLHunyuanVideoConfiguration {
    try AutoencoderKLHunyuanVideoConfiguration(PartConfiguration(path: "\(vae)/config.json"))
  }

  private static func decoder() throws -> AutoencoderKLHunyuanVideoDecoder {
    try AutoencoderKLHunyuanVideoDecoder(
      configuration(), Parameters(TensorStore(folder: vae), precision: .float32))
  }

  private func latents(_ frames: Int, _ height: Int, _ width: Int) -> Tensor {
    var generator = TorchGenerator(seed: 7)
    return Tensor(generator.randn(16 * frames * height * width), shape: [16, frames, height, width])
  }

  private func distance(_ left: Tensor, _ right: Tensor) -> Float {
    zip(left.elements, right.elements).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  @Test func whatTheWeightsTakeIsKnownBeforeTheyAreLoaded() throws {
    let (known, loaded) = (try TensorStore(folder: Self.vae).decoderWeightBytes, try Self.decoder().weightBytes)
    // With norms, which the decoder does not count.
    #expect((loaded...loaded * 102 / 100).contains(known), "\(known), \(loaded)")
  }

  @Test func everyModuleAndTheVideoAreThoseOfDiffusers() throws {
    let goldens = try DecoderGoldens("hunyuan_48x80_f5_n3")
    let seen = ProbedTensors()
    let z = try goldens.tensor("vae.in")
    let video = try Self.decoder().decode(z.reshaped(Array(z.shape.dropFirst())), probe: seen.probe)
    #expect(video.shape == [5, 48, 80, 3])
    for name in goldens.file.names where name.hasPrefix("vae.") && name != "vae.in" {
      let tensor = try #require(seen.all[String(name.dropFirst(4))], "no probe saw \(name)")
      try goldens.compare(tensor.reshaped([1] + tensor.shape), with: name)
    }
  }

  @Test(arguments: [1, 2, 4, 5, 6, 7, 8, 9]) func aVideoHasFourFramesALatentAndOneMore(latentFrames: Int) throws {
    let video = try Self.decoder().decode(latents(latentFrames, 2, 3))
    #expect(video.shape == [4 * latentFrames - 3, 16, 24, 3])
    #expect(video.elements.allSatisfy { $0.isFinite })
  }

  @Test func aFrameThatChangesMovesThoseBeforeItLess() throws {
    let decoder = try Self.decoder()
    let z = latents(4, 3, 4)
    var changed = z
    // The last latent frame of every channel. The norms run over all frames, so that everything moves a little.
    for channel in 0..<16 { for place in 36..<48 { changed[channel * 48 + place] += 1 } }
    let (before, behind) = (try decoder.decode(z), try decoder.decode(changed))
    let first = distance(before.frames(0..<1), behind.frames(0..<1))
    let last = distance(before.frames(12..<13), behind.frames(12..<13))
    #expect(first < last)
  }

  @Test func theNumberOfThreadsDoesNotChangeABit() throws {
    var decoder = try Self.decoder()
    (decoder.tiles.height, decoder.tiles.heightStride) = (32, 24)
    (decoder.tiles.width, decoder.tiles.widthStride) = (32, 24)
    defer { ThreadPool.shared.setThreads(2) }
    let z = latents(6, 5, 6)
    for tiling in [Tiling.never, .always] {
      let videos = try [1, 2, 4].map { threads in
        ThreadPool.shared.setThreads(threads)
        return try decoder.decode(z, tiling: tiling)
      }
      #expect(videos.allSatisfy { $0 == videos[0] })
    }
  }

  @Test func tilingBeginsAboveTheGivenBytes() throws {
    var decoder = try Self.decoder()
    (decoder.tiles.height, decoder.tiles.heightStride) = (32, 24)
    (decoder.tiles.width, decoder.tiles.widthStride) = (32, 24)
    let z = latents(2, 5, 6)
    let whole = decoder.configuration.wholeBytes(frames: 2, height: 5, width: 6)
    let (cut, uncut) = (try decoder.decode(z, tiling: .always), try decoder.decode(z))
    #expect(cut != uncut)
    #expect(try decoder.decode(z, tiling: .above(bytes: whole)) == uncut)
    #expect(try decoder.decode(z, tiling: .above(bytes: whole - 1)) == cut)
    // Frames no larger than a tile are never cut.
    let small = latents(2, 4, 4)
    #expect(try decoder.decode(small, tiling: .always) == decoder.decode(small))
  }

  @Test func tilesThatAreNoWholeLatentsAreNotUsed() throws {
    var decoder = try Self.decoder()
    let z = latents(2, 5, 6)
    let whole = try decoder.decode(z)
    for (size, stride) in [(32, 20), (30, 24), (32, 40), (32, 4)] {
      (decoder.tiles.height, decoder.tiles.heightStride) = (size, stride)
      #expect(try decoder.decode(z, tiling: .always) == whole)
    }
    for (frames, stride) in [(16, 3), (16, 20), (15, 12), (16, 0)] {
      (decoder.tiles.frames, decoder.tiles.frameStride) = (frames, stride)
      #expect(throws: TensorError.self) { try decoder.decode(z) }
    }
  }

  @Test func aShortStretchAtTheEndIsCutLikeTheOthers() throws {
    var decoder = try Self.decoder()
    (decoder.tiles.height, decoder.tiles.heightStride) = (32, 24)
    (decoder.tiles.width, decoder.tiles.widthStride) = (32, 24)
    // Stretches of five latent frames and of three.
    let z = latents(6, 5, 6)
    let (long, short) = (
      decoder.configuration.wholeBytes(frames: 5, height: 5, width: 6),
      decoder.configuration.wholeBytes(frames: 3, height: 5, width: 6)
    )
    #expect(short < long)
    #expect(try decoder.decode(z, tiling: .above(bytes: short)) == decoder.decode(z, tiling: .always))
    #expect(try decoder.decode(z, tiling: .above(bytes: long)) == decoder.decode(z, tiling: .never))
  }

  @Test func theMemoryGrowsNoFasterThanTheVideoAndTilesBoundIt() throws {
    let configuration = try AutoencoderKLHunyuanVideoConfiguration(
      PartConfiguration(path: "config.json", json: .object([:])))
    func bytes(_ frames: Int, _ tiling: Tiling) -> Int {
      configuration.decodingBytes(frames: frames, height: 90, width: 160, tiling: tiling, threads: 2)
    }
    // More than five latent frames are decoded one stretch after the other.
    let pixels = 4 * 720 * 1280 * 3 * 4
    #expect(bytes(33, .never) - bytes(32, .never) == 2 * pixels)
    #expect(bytes(33, .always) < bytes(33, .never) / 2)
    #expect(bytes(1, .never) < bytes(5, .never))
    // The finest resolution: 17 frames of 128 channels, three of them at a time.
    #expect(bytes(5, .never) > 3 * 17 * 720 * 1280 * 128 * 4)
  }

  @Test(arguments: [[1, 16, 2, 4, 4], [16, 2, 4], [4, 2, 4, 4], [16, 0, 4, 4]])
  func latentsOfAnotherShapeAreRefused(_ shape: [Int]) throws {
    let decoder = try Self.decoder()
    #expect {
      _ = try decoder.decode(Tensor(zeros: shape))
    } throws: { ($0 as? TensorError)?.tensor == "latents" }
  }

  @Test func aCancelledTaskStopsDecoding() async throws {
    let (decoder, z) = (try Self.decoder(), latents(2, 2, 2))
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try decoder.decode(z)
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func aMissingTensorIsNamed() throws {
    let missing = "decoder.up_blocks.1.upsamplers.0.conv.conv.weight"
    let source = ParametersInMemory(try TensorStore(folder: Self.vae)) { $0 == missing ? nil : $0 }
    let error = #expect(throws: ParameterError.self) {
      try AutoencoderKLHunyuanVideoDecoder(Self.configuration(), Parameters(source, precision: .float32))
    }
    #expect(error?.name == missing)
  }

  @Test(
    arguments: [
      ("_class_name", "AutoencoderKL"), ("act_fn", "relu"), ("temporal_compression_ratio", 8),
      ("spatial_compression_ratio", 16), ("block_out_channels", [32, 64]), ("norm_num_groups", 48),
      ("scaling_factor", 0), ("up_block_types", ["UpDecoderBlock2D"]), ("latent_channels", 0),
      ("layers_per_block", 65), ("mid_block_add_attention", 1),
    ] as [(String, JSONValue)])
  func aBadConfigurationNamesItsKey(key: String, value: JSONValue) throws {
    let error = #expect(throws: FileError.self) {
      try AutoencoderKLHunyuanVideoConfiguration(PartConfiguration(path: "config.json", json: .object([key: value])))
    }
    #expect(error?.description.contains("\"\(key)\"") == true, "\(String(describing: error))")
  }

  @Test func pixelsWithChannelsLastAreCutOff() {
    let unit = Pixels.unit(channelsLast: Tensor([-3, 0, 1, 3], shape: [1, 1, 2, 2]))
    #expect(unit.shape == [1, 1, 2, 2] && unit.elements == [0, 0.5, 1, 1])
  }
}
