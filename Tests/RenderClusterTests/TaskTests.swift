import Messaging
import Rendering
import Tensors
import Testing
import Transformers

@testable import RenderCluster

/// Prompts and pixels at workers that do these.
@Suite(.timeLimit(.minutes(2))) struct TaskTests {
  private let families: [TinyModel.Family] = [.flux, .hunyuanVideo]

  private func start(
    _ name: String, _ roles: WorkerRoles, in cluster: TinyCluster, _ parts: ModelParts? = nil
  ) throws {
    let parts = try parts ?? ModelParts(cluster.model.model)
    try cluster.start(name) { configuration in
      configuration.roles = roles
      configuration.models[0].parts = parts
    }
  }

  private func remote(_ cluster: TinyCluster) -> RemoteParts {
    RemoteParts(cluster.coordinator, cluster.model.model, digest: cluster.model.digest, precision: .float32)
  }

  /// What is asked for, and what one process makes of it.
  private struct Expected {
    let subject = Subject.prompt(PromptText("a cat on a mat"))
    let tokens = 8
    let grid: TokenGrid
    let shape: [Int]
    let latents: Tensor
    let encoded: EncodedSubject
    let pixels: Tensor

    init(_ model: TinyModel) throws {
      let frames = model.family == .hunyuanVideo ? 5 : 1
      grid = model.model.grid(width: 32, height: 32, frames: frames)
      shape = [frames, 32, 32, 3]
      let channels = try model.transformer(0..<1).latentChannels
      latents = Tensor(
        RandomKey(seed: 5, purpose: .test).uniforms(0..<grid.tokens * channels).map { $0 * 2 - 1 },
        shape: [grid.tokens, channels])
      encoded = try model.model.loadEncoder(.float32).encode(subject, maximumTokens: tokens)
      pixels = try model.model.loadDecoder(.float32).decode(latents, grid, .automatic)
    }

    func encode(_ parts: RemoteParts) async throws -> EncodedSubject? {
      try await parts.encode(subject, maximumTokens: tokens, job: 1)
    }

    func decode(_ parts: RemoteParts) async throws -> Tensor? {
      try await parts.decode(latents, grid, .automatic, shape: shape, job: 1)
    }

    func isEncoded(_ subject: EncodedSubject?) -> Bool {
      guard case .text(let text, let pooled, let valid)? = encoded.condition as Condition?,
        case .text(let otherText, let otherPooled, let otherValid)? = subject?.condition
      else { return false }
      return text == otherText && pooled == otherPooled && valid == otherValid
        && encoded.cutTokens == subject?.cutTokens
    }
  }

  @Test(arguments: [TinyModel.Family.flux, .hunyuanVideo])
  func anotherProcessGivesTheSameBits(_ family: TinyModel.Family) async throws {
    let model = try TinyModel(family)
    let expected = try Expected(model)
    let cluster = try await TinyCluster(model)
    try cluster.start("blocks")
    try start("parts", [.encode, .decode], in: cluster)
    try await cluster.workersAreHere(2)
    #expect(expected.isEncoded(try await expected.encode(remote(cluster))))
    #expect(try await expected.decode(remote(cluster)) == expected.pixels)
    // Many at once, beside a job, whose blocks are elsewhere.
    let task = TinyModel.Task(cache: TinyModel.caches(family)[3])
    async let latents = cluster.latents(task)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<12 {
        group.addTask {
          number % 2 == 0
            ? expected.isEncoded(try await expected.encode(remote(cluster)))
            : try await expected.decode(remote(cluster)) == expected.pixels
        }
      }
      for try await isEqual in group { #expect(isEqual) }
    }
    #expect(try await latents == model.latents(task))
    #expect(Set(cluster.computed.map(\.worker)) == ["blocks"])
    await cluster.stop()
  }

  @Test func aStageMayDecodeTooAndIsKnownByOneKey() async throws {
    let model = try TinyModel(.flux)
    let expected = try Expected(model)
    let keys = try TinyKeys("w0", "w1")
    let cluster = try await TinyCluster(model, cuts: [2], keys: keys)
    for name in ["w0", "w1"] { try start(name, .all, in: cluster) }
    try await cluster.workersAreHere(2)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3], isGuided: true)
    let latents = try await cluster.latents(task) { step in
      guard step % 3 == 0 else { return }
      #expect((try? await expected.decode(remote(cluster))) == expected.pixels)
    }
    #expect(try await latents == model.latents(task))
    #expect(expected.isEncoded(try await expected.encode(remote(cluster))))
    await cluster.stop()
  }

  @Test func whatNoWorkerDoesIsLeftToTheCaller() async throws {
    let model = try TinyModel(.flux)
    let expected = try Expected(model)
    let cluster = try await TinyCluster(model)
    #expect(try await expected.decode(remote(cluster)) == nil)
    try cluster.start("blocks")
    try start("encoder", .encode, in: cluster)
    try await cluster.workersAreHere(2)
    #expect(try await expected.decode(remote(cluster)) == nil)
    #expect(expected.isEncoded(try await expected.encode(remote(cluster))))
    await cluster.stop()
  }

  @Test func aWorkerThatFailsOrDiesAtItLeavesItToTheCaller() async throws {
    let model = try TinyModel(.flux)
    let expected = try Expected(model)
    let cluster = try await TinyCluster(model)
    // It has no room for pixels.
    let parts = try ModelParts(model.model)
    try cluster.start("small") { configuration in
      configuration.roles = .decode
      configuration.models[0].parts = parts
      configuration.memoryBytes = 1000
    }
    try await cluster.workersAreHere(1)
    #expect(try await expected.decode(remote(cluster)) == nil)
    #expect(cluster.told.contains { $0.contains("small could not do its task of job 1: This takes about") })
    await cluster.kill("small")
    // It is stopped with the latents still on their way to it.
    try start("dying", .decode, in: cluster)
    try await cluster.workersAreHere(1)
    async let pixels = expected.decode(remote(cluster))
    await cluster.silence("dying")
    cluster.coordinator.workerIsGone("dying")
    let result = try await pixels
    #expect(result == nil || result == expected.pixels)
    await cluster.stop()
  }

  @Test func aTaskThatNobodyWaitsForEnds() async throws {
    let model = try TinyModel(.flux)
    let expected = try Expected(model)
    let cluster = try await TinyCluster(model)
    try start("parts", .all, in: cluster)
    try await cluster.workersAreHere(1)
    let task = Task { try await expected.decode(remote(cluster)) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(try await expected.decode(remote(cluster)) == expected.pixels)
    await cluster.stop()
  }
}
