import FeatureCaching
import Rendering
import Tensors
import Testing
import Transformers

/// What a model says about the hidden states between its blocks, beside what really comes out.
@Suite struct StateShapesTests {
  /// The hidden states in front of `block`, of a full step of the task.
  private func state(before block: Int, _ model: any DiffusionTransformer, _ task: DenoisingTask) throws -> BlockState {
    let sample = try model.makeSample(task.inputs)
    let cache = NoCaching().makeCache(
      CacheSetup(choices: task.choices(0), steps: 1, layout: model.layout, columns: task.inputs.grid.columns))
    cache.begin(CacheStep(index: 0, kind: .full))
    let vector = sample.conditioning(timestep: 500, probe: nil)
    var state = sample.embed(task.latents, conditioning: vector, leavesTextOut: false, probe: nil)
    guard !model.blocks.isEmpty else { return state }
    sample.run(&state, blocks: model.blocks, conditioning: vector, cache: cache, probe: nil, beforeBlock: { _ in })
    return state
  }

  private func shapes(_ state: BlockState) -> [TokenStream: [Int]] { state.streams.mapValues(\.shape) }

  @Test func fluxHandsOverTwoStreamsUpToItsFirstSingleBlockAndOneBehind() throws {
    let flux = try TinyFlux()
    let (task, count) = (flux.task(NoCaching()), flux.configuration.blockCount)
    #expect(flux.configuration.doubleBlocks > 0 && flux.configuration.singleBlocks > 0)
    for block in 0...count {
      let model = try flux.transformer(0..<block)
      let expected = model.stateShapes(before: block, of: task.inputs)
      #expect(shapes(try state(before: block, model, task)) == expected, "in front of block \(block)")
      #expect(expected.keys.contains(.joint) == (block > flux.configuration.doubleBlocks))
    }
  }

  @Test func hunyuanVideoHandsOverTwoStreamsUpToItsFirstSingleBlockAndOneBehind() throws {
    let video = try TinyHunyuanVideo()
    let (task, count) = (video.task(NoCaching()), video.configuration.blockCount)
    for block in 0...count {
      let model = try HunyuanVideoTransformer(video.configuration, video.parameters, blocks: 0..<block)
      let expected = model.stateShapes(before: block, of: task.inputs)
      #expect(shapes(try state(before: block, model, task)) == expected, "in front of block \(block)")
      #expect(expected.keys.contains(.joint) == (block > video.configuration.doubleBlocks))
    }
  }

  @Test func diTHandsOverOneStream() throws {
    let dit = try TinyDiT()
    let (task, count) = (dit.task(NoCaching()), dit.configuration.blockCount)
    for block in 0...count {
      let model = try DiTTransformer(dit.configuration, dit.parameters, blocks: 0..<block)
      let expected = model.stateShapes(before: block, of: task.inputs)
      #expect(shapes(try state(before: block, model, task)) == expected, "in front of block \(block)")
    }
  }

  @Test func anyRangeOfBlocksAnswersForTheWholeModel() throws {
    let flux = try TinyFlux()
    let (inputs, count) = (flux.task(NoCaching()).inputs, flux.configuration.blockCount)
    let (first, last) = (try flux.transformer(0..<1), try flux.transformer(count - 1..<count))
    for block in 0...count {
      #expect(first.stateShapes(before: block, of: inputs) == last.stateShapes(before: block, of: inputs))
    }
    #expect(first.outputChannels == last.outputChannels && first.latentChannels == last.latentChannels)
  }

  @Test func theChannelsAreThoseOfLatentsAndOutput() async throws {
    let (flux, dit, video) = (try TinyFlux(), try TinyDiT(), try TinyHunyuanVideo())
    let ditModel = try DiTTransformer(dit.configuration, dit.parameters)
    let runs = [
      (
        try flux.transformer(0..<flux.configuration.blockCount) as any DiffusionTransformer,
        flux.task(NoCaching(), steps: 1)
      ),
      (ditModel, dit.task(NoCaching(), steps: 1)),
      (
        try HunyuanVideoTransformer(video.configuration, video.parameters), video.task(NoCaching(), steps: 1)
      ),
    ]
    for (model, task) in runs {
      #expect(task.latents.columns == model.latentChannels)
      for try await step in Denoiser(task, over: LocalTransport([try Stage(model)])) {
        #expect(step.output.columns == model.outputChannels)
      }
    }
  }
}
