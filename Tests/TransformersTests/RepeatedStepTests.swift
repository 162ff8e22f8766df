import FeatureCaching
import Rendering
import Tensors
import Testing
import Transformers

/// Steps that a stage is asked for again, or in a wrong order.
@Suite struct RepeatedStepTests {
  private let sample = SampleID(job: 1)

  private func stage(_ policy: any FeatureCachePolicy) async throws -> (stage: Stage, latents: Tensor) {
    let flux = try TinyFlux()
    let task = flux.task(policy)
    let stage = try Stage(try flux.transformer(0..<flux.configuration.blockCount))
    try await stage.open(
      SampleSetup(id: sample, inputs: task.inputs, steps: 8, policy: policy, choices: task.choices(0)))
    return (stage, task.latents)
  }

  /// Full steps at 0 and 4; clusters move their tokens in place, so that twice would be further than once.
  private func steps(times: Int) async throws -> [Tensor] {
    let schedule = IntervalSchedule(interval: 4, enhancedSteps: 1)
    let policy = ClusCa(schedule: schedule, maximumOrder: 1, clusters: 5, propagation: 0.3)
    let (stage, latents) = try await stage(policy)
    var outputs: [Tensor] = []
    var clusters: [TokenStream: TokenClusters] = [:]
    for step in 0..<8 {
      let isFull = step % 4 == 0
      let context = StepContext(
        sample: sample, index: step, kind: isFull ? .full : .cached(distance: step % 4),
        timestep: Float(900 - 100 * step), clusters: isFull ? [:] : clusters)
      for _ in 0..<times {
        let result = try await stage.run(context, .latents(latents))
        if isFull { clusters = result.clusters }
        if case .output(let output) = result.output { outputs.append(output) }
      }
    }
    return outputs
  }

  @Test func aStepThatIsAskedForTwiceIsDoneOnce() async throws {
    let once = try await steps(times: 1)
    let thrice = try await steps(times: 3)
    #expect(once.count == 8 && Set(once.map(\.elements)).count == 8)
    #expect(thrice == once.flatMap { [$0, $0, $0] })
  }

  @Test func aStepOfThePastIsRefused() async throws {
    let (stage, latents) = try await stage(NoCaching())
    func run(_ step: Int) async throws {
      _ = try await stage.run(
        StepContext(sample: sample, index: step, kind: .full, timestep: 500), .latents(latents))
    }
    try await run(0)
    try await run(1)
    await #expect(throws: StageError.stepOfThePast(sample, step: 0)) { try await run(0) }
    try await run(2)
  }

  @Test func aSampleWhoseStepWasGivenUpIsOfNoUse() async throws {
    let (stage, latents) = try await stage(NoCaching())
    let context = StepContext(sample: sample, index: 0, kind: .full, timestep: 500)
    struct Stop: Error {}
    let stop: @Sendable (isolated Stage) throws -> Void = { _ in throw Stop() }
    await #expect(throws: Stop.self) {
      try await stage.run(context, .latents(latents), betweenBlocks: stop)
    }
    await #expect(throws: StageError.unknownSample(sample)) { try await stage.run(context, .latents(latents)) }
  }
}
