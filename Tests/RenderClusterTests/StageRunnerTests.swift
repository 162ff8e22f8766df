import Dispatch
import FeatureCaching
import Rendering
import Tensors
import Testing

@testable import RenderCluster

/// Steps of both rows of guidance on one stage.
@Suite(.timeLimit(.minutes(1))) struct StageRunnerTests {
  /// A runner with two rows of a picture that have had their full step.
  private struct Rows {
    let runner: StageRunner
    private let outcomes: AsyncStream<StageOutcome>
    private let task: DenoisingTask
    private var clusters: [[TokenStream: TokenClusters]] = []

    init(patience: Duration = .milliseconds(1)) async throws {
      let model = try TinyModel(.dit)
      var cache = CacheSettings.dit
      cache.propagation = 0.2  // so that to do a step twice is another thing than to do it once
      task = try model.denoising(TinyModel.Task(cache: cache, isGuided: true))
      let stage = try Stage(model.transformer(nil))
      let (outcomes, post) = AsyncStream.makeStream(of: StageOutcome.self)
      runner = StageRunner(stage, patience: patience) { post.yield($0) }
      self.outcomes = outcomes
      for row in UInt16(0)..<2 {
        try await stage.open(
          SampleSetup(
            id: SampleID(job: 1, row: row), inputs: row == 0 ? task.inputs : try #require(task.guidance?.inputs),
            timesteps: (0..<task.schedule.steps).map(task.schedule.timestep), policy: task.policy,
            choices: task.choices(row)))
      }
      for row in 0..<2 { runner.add(step(0, of: row, .full)) }
      for outcome in await results(2) {
        clusters.append(try WireClusters.unpack(outcome.clusters.labels, outcome.clusters.payload))
      }
    }

    func step(_ index: Int, of row: Int, _ kind: StepKind, attempt: UInt32 = 1) -> StageTask {
      StageTask(
        key: SampleKey(job: 1, row: UInt32(row)), attempt: attempt, step: UInt32(index), isMeasurement: false,
        context: StepContext(
          sample: SampleID(job: 1, row: UInt16(row)), index: index, kind: kind, timestep: task.schedule.timestep(index),
          clusters: kind.isFull ? [:] : clusters[row]), input: .latents(task.latents))
    }

    /// In the order in which they come.
    func results(_ count: Int) async -> [StageOutcome] {
      var results: [StageOutcome] = []
      for await outcome in outcomes {
        results.append(outcome)
        if results.count == count { break }
      }
      return results
    }
  }

  private func output(_ outcome: StageOutcome) throws -> Tensor {
    guard case .output(let output)? = try outcome.result.get() else { throw StageError.unknownSample(SampleID(job: 1)) }
    return output
  }

  @Test func cachedStepsOfBothRowsAreComputedSideBySideWithTheSameBits() async throws {
    let (together, apart) = (try await Rows(patience: .seconds(60)), try await Rows())
    for index in 1...2 {
      let kind = StepKind.cached(distance: index)
      for row in 0..<2 { together.runner.add(together.step(index, of: row, kind), hasOtherRow: true) }
      let both = await together.results(2)
      #expect(both.map(\.task.key.row) == [0, 1])
      #expect(both[0].startMicroseconds == both[1].startMicroseconds)
      #expect(both[0].microseconds == both[1].microseconds)
      for row in 0..<2 {
        apart.runner.add(apart.step(index, of: row, kind))
        #expect(try output(await apart.results(1)[0]) == output(both[row]))
      }
    }
  }

  /// As they do where more stages follow and this one has much to do.
  @Test func cachedStepsThatComeWhileSomethingElseIsComputedGoTogether() async throws {
    let rows = try await Rows()
    let end = DispatchSemaphore(value: 0)
    rows.runner.add { _ in end.wait() }
    for row in 0..<2 { rows.runner.add(rows.step(1, of: row, .cached(distance: 1))) }
    end.signal()
    let both = await rows.results(2)
    #expect(both.map(\.task.key.row) == [0, 1])
    #expect(both[0].startMicroseconds == both[1].startMicroseconds)
  }

  /// A coordinator that was started again asks for a step that waits here already.
  @Test func aStepThatWaitsTwiceIsDoneOnce() async throws {
    let (twice, once) = (try await Rows(), try await Rows())
    let end = DispatchSemaphore(value: 0)
    twice.runner.add { _ in end.wait() }
    for (row, attempt) in [(0, 1), (1, 1), (1, 2)] as [(Int, UInt32)] {
      twice.runner.add(twice.step(1, of: row, .cached(distance: 1), attempt: attempt))
    }
    end.signal()
    let outcomes = await twice.results(3)
    #expect(outcomes.map(\.task.key.row) == [0, 1, 1])
    once.runner.add(once.step(1, of: 1, .cached(distance: 1)))
    let expected = try output(await once.results(1)[0])
    #expect(try outcomes.dropFirst().map(output) == [expected, expected])
    // What it has kept is that of one step, too.
    for rows in [twice, once] { rows.runner.add(rows.step(2, of: 1, .cached(distance: 2))) }
    #expect(try output(await twice.results(1)[0]) == output(await once.results(1)[0]))
  }

  /// Its step was lost on its way, say.
  @Test func aRowWhoseOtherOneDoesNotComeIsComputedAlone() async throws {
    let rows = try await Rows()
    rows.runner.add(rows.step(1, of: 0, .cached(distance: 1)), hasOtherRow: true)
    let first = await rows.results(1)
    rows.runner.add(rows.step(1, of: 1, .cached(distance: 1)), hasOtherRow: true)
    let second = await rows.results(1)
    #expect(first[0].task.key.row == 0 && second[0].task.key.row == 1)
    #expect(first[0].startMicroseconds < second[0].startMicroseconds)
    #expect(try output(first[0]).isFinite && output(second[0]).isFinite)
  }

  /// A step that waits for the other row goes with its sample.
  @Test func aRowThatIsClosedWhileItWaitsIsNotComputed() async throws {
    let rows = try await Rows(patience: .seconds(60))
    rows.runner.add(rows.step(1, of: 0, .cached(distance: 1)), hasOtherRow: true)
    rows.runner.drop(SampleKey(job: 1, row: 0), SampleID(job: 1, row: 0))
    rows.runner.add(rows.step(1, of: 1, .cached(distance: 1)))
    #expect(await rows.results(1)[0].task.key.row == 1)
  }
}
