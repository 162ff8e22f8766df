import Messaging
import Rendering
import Tensors
import Testing

@testable import RenderCluster

/// Many jobs at once, and how jobs end that cannot be done.
@Suite(.timeLimit(.minutes(2))) struct JobTests {
  @Test func jobsInFlightTogetherDoNotChangeOneAnother() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [1, 3])
    for name in ["w0", "w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    let tasks = TinyModel.caches(.flux).enumerated().flatMap { index, cache in
      (0..<3).map { TinyModel.Task(cache: cache, seed: UInt64(10 * index + $0), isGuided: $0 == 1) }
    }
    let latents = try await withThrowingTaskGroup(of: (Int, [Tensor]).self) { group in
      for (index, task) in tasks.enumerated() { group.addTask { (index, try await cluster.latents(task)) } }
      return try await group.reduce(into: [Int: [Tensor]]()) { $0[$1.0] = $1.1 }
    }
    for (index, task) in tasks.enumerated() { #expect(try await latents[index] == model.latents(task)) }
    // A stage had begun with a job before another was done.
    let jobs = cluster.computed.filter { $0.stage == 0 }.map(\.sample.job)
    #expect(jobs != jobs.sorted())
    await cluster.stop()
  }

  @Test func aCancelledJobEndsAndTheOthersGoOn() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model)
    try cluster.start("w0")
    try await cluster.workersAreHere(1)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3], steps: 200)
    let cancelled = Task {
      try await cluster.latents(task) { done in if done == 3 { withUnsafeCurrentTask { $0?.cancel() } } }
    }
    let other = TinyModel.Task(cache: task.cache)
    #expect(try await cluster.latents(other) == model.latents(other))
    await #expect(throws: CancellationError.self) { try await cancelled.value }
    while await !cluster.coordinator.status.jobs.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    await cluster.stop()
  }

  @Test func numbersThatAreNoneTwiceEndTheJobWithStepAndBlock() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [])
    for name in ["w0", "w1"] { try cluster.start(name) }
    try await cluster.workersAreHere(2)
    var task = TinyModel.Task(cache: TinyModel.caches(.flux)[0])
    task.latentScale = .infinity
    let error = await #expect(throws: JobError.self) { try await cluster.latents(task) }
    #expect(error?.reason == .numeric)
    #expect(
      error?.description.hasPrefix("Twice the same: at step 1, block 0, the worker w1 says: block 0 gave") == true)
    #expect(error?.description.contains("So said the worker w0 at block 0") == true)
    await cluster.stop()
  }

  @Test func aWorkerWhoseNumbersAreNoneIsDoneWithout() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2])
    // Blocks with a number that is none among their weights.
    try cluster.start("w0") { configuration in
      let digest = configuration.models[0].digest
      configuration.models = [
        WorkerModel(digest: digest, name: "tiny") { precision, blocks in try model.damagedTransformer(blocks) }
      ]
    }
    for name in ["w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3], isGuided: true)
    #expect(try await cluster.latents(task) == model.latents(task))
    #expect(cluster.told.contains { $0.contains("is done once more: at step 1, block 1, the worker w0 says") })
    #expect(cluster.told.contains { $0.contains("good without the worker w0, which may be broken") })
    await cluster.stop()
  }

  @Test func aModelThatNoWorkerCanHoldFailsWithTheNumbers() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, waitsForWorkers: false)
    try cluster.start("w0") { $0.memoryBytes = 1 << 20 }
    try await cluster.workersAreHere(1)
    let error = await #expect(throws: JobError.self) {
      try await cluster.latents(TinyModel.Task(cache: TinyModel.caches(.flux)[0]))
    }
    #expect(error?.reason == .memory)
    #expect(error?.description.contains("1.0 MB") == true)
    await cluster.stop()
  }

  @Test func aWorkerThatCannotLoadIsPassedOver() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model)
    try cluster.start("broken") { configuration in
      let digest = configuration.models[0].digest
      configuration.models = [
        WorkerModel(digest: digest, name: "tiny") { _, _ in throw JobError(.storage, "The disk is gone") }
      ]
      configuration.operationsPerSecond = 1e12
    }
    try await cluster.workersAreHere(1)
    try cluster.start("good")
    try await cluster.workersAreHere(2)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3])
    #expect(try await cluster.latents(task) == model.latents(task))
    #expect(cluster.told.contains { $0.contains("broken could not load its blocks: The disk is gone") })
    await cluster.stop()
  }

  @Test func jobsAreLetInAsFarAsTheirCachesFit() async throws {
    let model = try TinyModel(.flux)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3], steps: 20)
    let blocks = try model.facts(task).blocks
    let cluster = try await TinyCluster(model)
    // Weights, activations, and the caches of two samples but not of three.
    let room = blocks.reduce(1 << 20) { $0 + $1.weightBytes + 5 * $1.cacheBytes / 2 }
    try cluster.start("w0") { $0.memoryBytes = room }
    try await cluster.workersAreHere(1)
    let running = try await withThrowingTaskGroup(of: Int.self) { group in
      for seed in 0..<5 {
        group.addTask {
          var task = task
          task.seed = UInt64(seed)
          let most = ListBox<Int>()
          _ = try await cluster.latents(task) { _ in
            most.add(await cluster.coordinator.status.jobs.count { $0.isRunning })
          }
          return most.values.max() ?? 0
        }
      }
      return try await group.reduce(into: [Int]()) { $0.append($1) }
    }
    #expect(running.max() == 2)
    await cluster.stop()
  }
}
