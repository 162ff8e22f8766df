import FeatureCaching
import Rendering
import Tensors
import Testing
import Transformers

/// The two rows of guidance, which go through cached steps side by side.
@Suite struct SideBySideTests {
  /// Takes one row after the other.
  private struct OneByOne: StageTransport {
    let stages: LocalTransport

    func open(_ setup: SampleSetup) async throws { try await stages.open(setup) }
    func step(_ context: StepContext, latents: Tensor, probe: Probe?) async throws -> StepResult {
      try await stages.step(context, latents: latents, probe: probe)
    }
    func step(_ contexts: [StepContext], latents: Tensor) async throws -> [StepResult] {
      var results: [StepResult] = []
      for context in contexts { results.append(try await stages.step(context, latents: latents, probe: nil)) }
      return results
    }
    func measure(_ context: StepContext, latents: Tensor) async throws -> Float? {
      try await stages.measure(context, latents: latents)
    }
    func close(_ id: SampleID) async { await stages.close(id) }
    var cacheBytes: Int { get async { await stages.cacheBytes } }
  }

  private static let precisions: [Precision] = [.float32, .bfloat16, .int8]

  @Test(arguments: CacheSettings.Method.allCases, precisions)
  func rowsSideBySideHaveTheBitsOfRowsOneAfterTheOther(_ method: CacheSettings.Method, _ precision: Precision)
    async throws
  {
    let model = try TinyDiT(precision: precision)
    var settings = CacheSettings.dit.using(method)
    (settings.interval, settings.warmupSteps, settings.minimumCachedSteps) = (4, 2, 1)
    (settings.freshRatio, settings.threshold) = (0.3, 3)
    let task = model.task(settings.policy)
    let expected = try await latents(task, over: OneByOne(stages: try model.transport()))
    for cuts in [[], [2]] {
      #expect(try await latents(task, over: try model.transport(cuts: cuts)) == expected, "cut at \(cuts)")
    }
  }

  private func latents(_ task: DenoisingTask, over transport: some StageTransport) async throws -> [Tensor] {
    var latents: [Tensor] = []
    for try await step in Denoiser(task, over: transport) { latents.append(step.latents) }
    #expect(latents.count == task.schedule.steps && latents.allSatisfy(\.isFinite))
    return latents
  }

  /// One of several samples may be unknown, or have been done already.
  @Test func aStepOfSeveralSamplesIsThatOfEach() async throws {
    let model = try TinyDiT()
    let task = model.task(CacheSettings.dit.policy)
    let stage = try Stage(DiTTransformer(model.configuration, model.parameters))
    let ids = [SampleID(job: 1, row: 0), SampleID(job: 1, row: 1)]
    for (id, inputs) in zip(ids, [task.inputs, model.inputs(nil)]) {
      try await stage.open(
        SampleSetup(
          id: id, inputs: inputs, timesteps: (0..<3).map(task.schedule.timestep), policy: task.policy,
          choices: task.choices(id.row)))
    }
    var clusters: [SampleID: [TokenStream: TokenClusters]] = [:]
    func contexts(_ step: Int, _ kind: StepKind) -> [(context: StepContext, input: Stage.Input)] {
      ids.map { id in
        let context = StepContext(
          sample: id, index: step, kind: kind, timestep: task.schedule.timestep(step), clusters: clusters[id] ?? [:])
        return (context, .latents(task.latents))
      }
    }
    let full = try await stage.run(contexts(0, .full))
    for (id, result) in zip(ids, full) { clusters[id] = result.clusters }
    let both = contexts(1, .cached(distance: 1))
    let first = try await stage.run(both[0].context, both[0].input)
    let again = try await stage.run(both)
    #expect(try output(again[0]) == output(first))
    #expect(try output(await stage.run(both[1].context, both[1].input)) == output(again[1]))
    #expect(try output(again[0]) != output(again[1]))

    await stage.close(ids[1])
    await #expect(throws: StageError.unknownSample(ids[1])) { try await stage.run(contexts(2, .cached(distance: 2))) }
  }

  private func output(_ finished: Stage.Finished) throws -> Tensor {
    guard case .output(let output) = finished.output else { throw StageError.unknownSample(SampleID(job: 0)) }
    return output
  }
}
