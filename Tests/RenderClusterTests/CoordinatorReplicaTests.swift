import Messaging
import Testing

@testable import RenderCluster

/// Pipelines side by side, as the coordinator's core makes, fills and loses them.
@Suite struct CoordinatorReplicaTests {
  /// Three blocks are not cut among two workers that can hold them.
  private static let facts = TestedCore.facts(rows: 1, blocks: 3)
  private static let guided = TestedCore.facts(rows: 2, blocks: 3)

  private func core(_ workers: Int, memoryBytes: UInt64 = 1 << 30) -> TestedCore {
    var core = TestedCore(planning: ReplicaPlanner.planning)
    for worker in 0..<workers { core.join("w\(worker)", memoryBytes: memoryBytes) }
    return core
  }

  /// The workers of the pipelines that the rows of a job are in.
  private func places(_ job: UInt64, _ core: TestedCore) -> [String] {
    let places = core.core.jobs.first { $0.id == job }?.places ?? []
    return places.map { place in core.core.pipeline(place).map { $0.plan.stages.map(\.worker).joined() } ?? "none" }
  }

  private func inFlight(_ job: UInt64, row: UInt32 = 0, _ core: TestedCore) -> Int? {
    core.sample(SampleKey(job: job, row: row))?.inFlight?.step
  }

  @Test func theRowsOfOneJobAreDoneSideBySide() {
    var core = core(2)
    core.submit(1, Self.guided)
    #expect(places(1, core) == ["w0", "w1"])
    #expect(inFlight(1, row: 0, core) == 0 && inFlight(1, row: 1, core) == 0)
    for row in 0...1 as ClosedRange<UInt32> { core.compute(1, row: row) }
    for row in 0...1 as ClosedRange<UInt32> { core.want(1, row: row) }
    #expect(inFlight(1, row: 0, core) == 1 && inFlight(1, row: 1, core) == 1)
  }

  @Test func jobsAreSharedOutEvenly() {
    var core = core(3)
    for job in 1...6 as ClosedRange<UInt64> { core.submit(job, TestedCore.facts(rows: 1, blocks: 5)) }
    let all = (1...6).flatMap { places($0, core) }
    #expect(all.sorted() == ["w0", "w0", "w1", "w1", "w2", "w2"])
  }

  @Test func aLostWorkerCostsOnlyTheJobsOfItsOwnPipeline() {
    var core = core(2)
    for job in 1...2 as ClosedRange<UInt64> { core.submit(job, Self.facts) }
    #expect(places(1, core) == ["w0"] && places(2, core) == ["w1"])
    core.compute(2)
    core.want(2)
    let attempt = core.sample(SampleKey(job: 2, row: 0))?.attempt
    core.happens(.gone(worker: "w0"))
    #expect(inFlight(2, core) == 1 && core.sample(SampleKey(job: 2, row: 0))?.attempt == attempt)
    // The other goes on where there is room for it.
    #expect(places(1, core) == ["w1"] && inFlight(1, core) == 0)
    #expect(core.core.jobs.map(\.losses) == [1, 0])
  }

  @Test func rowsThatLoseTheirPipelineTakeTheOthersOfTheirJobBack() {
    var core = core(2)
    core.submit(1, Self.guided)
    core.compute(1, row: 1)
    core.happens(.gone(worker: "w0"))
    #expect(places(1, core) == ["w1", "w1"])
    #expect(inFlight(1, row: 0, core) == 0 && inFlight(1, row: 1, core) == 0)
    // What the pipeline that stands had of the job is let go, before it is sent anew.
    let messages = core.sent(to: "w1").filter { $0.fence.job == 1 && $0.fence.row == 1 }.map(\.kind)
    #expect(messages.filter { $0 == .openSample || $0 == .closeSample } == [.openSample, .closeSample, .openSample])
  }

  @Test func aWorkerThatJoinsGetsItsOwnPipelineWhileTheOtherWorks() {
    var core = core(1)
    for job in 1...5 as ClosedRange<UInt64> { core.submit(job, Self.facts) }
    #expect(core.started == [1, 2, 3, 4])
    core.wait(3000)
    core.join("w1")
    core.wait(5000)
    #expect(core.started == [1, 2, 3, 4, 5])
    #expect(places(1, core) == ["w0"] && places(5, core) == ["w1"])
  }

  @Test func jobsOfTwoModelsAreDoneSideBySide() {
    let other = TinyCluster.digest(3)
    var core = TestedCore(planning: ReplicaPlanner.planning)
    for worker in 0...1 { core.join("w\(worker)", models: [TestedCore.model, other]) }
    core.submit(1, Self.facts)
    core.submit(2, TestedCore.facts(rows: 1, blocks: 3, model: other))
    #expect(places(1, core) == ["w0"] && places(2, core) == ["w1"])
    #expect(inFlight(1, core) == 0 && inFlight(2, core) == 0)
    // Neither takes the other's place as long as it has jobs.
    core.submit(3, Self.facts)
    core.wait(5000)
    #expect(places(3, core) == ["w0"] && places(2, core) == ["w1"])
    core.happens(.finished(job: 2))
    core.submit(4, Self.facts)
    core.wait(5000)
    #expect(places(4, core) == ["w1"])
  }

  @Test func ofPipelinesThatAreMadeTogetherNoneIsFilledBeforeTheOthersAreReady() {
    var core = core(2)
    core.idle = ["w1"]
    core.submit(1, Self.guided)
    #expect(core.started.isEmpty)
    let attempt = core.core.pipelines.last?.attempt ?? 0
    core.wait(1000)
    core.post(.ready(Readiness(residentBytes: 0)), Fence(attempt: attempt), from: "w1")
    #expect(places(1, core) == ["w0", "w1"])
  }

  @Test func aPipelineThatIsLongInLoadingIsNotWaitedFor() {
    var core = core(2)
    core.idle = ["w1"]
    core.submit(1, Self.guided)
    core.wait(3000)
    #expect(places(1, core) == ["w0", "w0"])
  }

  @Test func eachPipelineTakesAsManyRowsAsHaveRoom() {
    // Three blocks and the caches of one row.
    var core = core(2, memoryBytes: 340)
    for job in 1...3 as ClosedRange<UInt64> { core.submit(job, Self.facts) }
    #expect(core.started == [1, 2])
    core.happens(.finished(job: 1))
    #expect(core.started == [1, 2, 3] && places(3, core) == ["w0"])
  }

  @Test func aDrainedWorkersPipelineEndsAndTheOtherStays() {
    var core = core(2)
    for job in 1...2 as ClosedRange<UInt64> { core.submit(job, Self.facts) }
    core.post(.release, Fence(), from: "w0")
    // Nothing of job 1 is done, so that nothing is lost by its leaving.
    core.compute(1)
    core.want(1)
    core.compute(2)
    core.want(2)
    #expect(places(2, core) == ["w1"] && inFlight(2, core) == 1)
    core.submit(3, Self.facts)
    #expect(places(3, core) == ["w1"])
  }
}
