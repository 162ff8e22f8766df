import FeatureCaching
import Files
import Foundation
import Messaging
import Rendering
import Synchronization
import Tensors
import Transformers

@testable import RenderCluster

/// A coordinator and workers in this process, over real sockets, with the small models of random weights among the fixtures.
final class TinyCluster: Sendable {
  static let build = "test"
  static let numerics = digest(1)

  let folder: String
  let coordinator: Coordinator
  let model: TinyModel
  private let workers = Mutex<[String: (worker: Worker, task: Task<Void, any Error>)]>([:])

  static func digest(_ number: UInt8) -> Messaging.Digest { Digest([UInt8](repeating: number, count: 32))! }

  /// - Parameter cuts: the first block of each stage but the first, for as many workers in the order of their names; the
  ///   planner's own unless given.
  ///   - planning: instead of cuts.
  ///   - keys: who may connect, over TCP and CURVE; plain sockets in a folder unless given.
  init(
    _ model: TinyModel, cuts: [Int]? = nil, planning: Planning? = nil, waitsForWorkers: Bool = true,
    keys: TinyKeys? = nil,
    secondsBetweenFailures: Double = CoordinatorIdentity.assumedSecondsBetweenFailures, snapshotBytes: Int = 1 << 30
  ) async throws {
    self.model = model
    self.keys = keys
    // Paths of sockets are short.
    folder = FileManager.default.temporaryDirectory.path + "/tc-\(UInt32.random(in: 0..<UInt32.max))"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let planning = planning ?? cuts.map { Self.planning($0) } ?? StagePlanner.planning
    let box = ListBox<StageSpan>()
    let notes = ListBox<String>()
    self.notes = notes
    var configuration = CoordinatorConfiguration(
      endpoints: [keys == nil ? try Endpoint("ipc://\(folder)/control") : try Endpoint("tcp://127.0.0.1:0")],
      outputs: keys == nil ? try Endpoint("ipc://\(folder)/outputs") : try Endpoint("tcp://127.0.0.1:0"),
      security: keys.map { .curve($0.coordinator, $0.access) } ?? .plaintext, epoch: 1, build: Self.build,
      numerics: Self.numerics, waitsForWorkers: waitsForWorkers,
      planning: planning, note: { notes.add($0) }, trace: { box.add($0) })
    configuration.secondsBetweenFailures = secondsBetweenFailures
    configuration.snapshotBytes = snapshotBytes
    coordinator = try await Coordinator.start(configuration)
    self.box = box
  }

  private let keys: TinyKeys?
  private let box: ListBox<StageSpan>
  private let notes: ListBox<String>
  /// What the stages have computed.
  var computed: [StageSpan] { box.values }
  /// What the coordinator told people.
  var told: [String] { notes.values }

  static func planning(_ cuts: [Int]) -> Planning {
    { blocks, workers, _, _ in
      let bounds = [0] + cuts + [blocks.count]
      guard workers.count > cuts.count else { return .failure(StagePlanFailure("Workers are missing")) }
      let stages = zip(workers, zip(bounds, bounds.dropFirst())).map { worker, range in
        StagePlan.Stage(
          worker: worker.name, blocks: range.0..<range.1, seconds: 1, weightBytes: 0, activationBytes: 0,
          cacheBytes: 0, transitBytes: 0, samples: 1)
      }
      return .success([StagePlan(stages: stages, leftOut: [], samples: 100, latency: 1, interval: 1)])
    }
  }

  func configuration(_ name: String) throws -> WorkerConfiguration {
    let model = model
    return WorkerConfiguration(
      name: name, coordinator: coordinator.endpoints[0],
      address: try Endpoint(keys == nil ? "ipc://\(folder)/\(name)" : "tcp://127.0.0.1:0"),
      security: try keys.map { .curve(try $0.workers[name] ?? KeyPair(), coordinator: $0.coordinator.publicKey) }
        ?? .plaintext, build: Self.build, numerics: Self.numerics,
      models: [WorkerModel(digest: model.digest, name: "tiny") { _, blocks in try model.transformer(blocks) }],
      threads: 1,
      memoryBytes: 1 << 34, operationsPerSecond: 1e9)
  }

  /// Starts a worker.
  func start(_ name: String, _ change: (inout WorkerConfiguration) -> Void = { _ in }) throws {
    var configuration = try configuration(name)
    configuration.bytesPerSecond = 1e9
    change(&configuration)
    let worker = Worker(configuration)
    let task = Task { try await worker.run() }
    workers.withLock { $0[name] = (worker, task) }
  }

  func drain(_ name: String) { workers.withLock { $0[name]?.worker.drain() } }

  /// Ends a worker at once; who started its process would notice.
  func kill(_ name: String) async {
    await silence(name)
    coordinator.workerIsGone(name)
  }

  /// Ends a worker without a word.
  func silence(_ name: String) async {
    let entry = workers.withLock { $0.removeValue(forKey: name) }
    entry?.task.cancel()
    _ = await entry?.task.result
  }

  /// How a worker ended.
  func end(of name: String) async throws {
    let task = workers.withLock { $0[name]?.task }
    try await task?.value
  }

  /// Waits until the snapshots of a step are kept, of the only job.
  func snapshotIsKept(of step: Int) async {
    while await coordinator.status.jobs.first?.keptSteps != step { try? await Task.sleep(for: .milliseconds(2)) }
  }

  /// Waits until so many workers are admitted.
  func workersAreHere(_ count: Int) async throws {
    while await coordinator.status.workers.count < count { try await Task.sleep(for: .milliseconds(5)) }
  }

  /// The latents of a task after each step, computed by the cluster.
  func latents(
    _ task: TinyModel.Task, onStep: @Sendable (Int) async -> Void = { _ in }
  ) async throws -> [Tensor] {
    let transport = try await coordinator.admit(model.facts(task), cache: task.cache, seed: task.seed)
    var latents: [Tensor] = []
    do {
      for try await step in Denoiser(try model.denoising(task), over: transport) {
        latents.append(step.latents)
        await onStep(step.index)
      }
    } catch {
      await coordinator.leave(transport)
      throw error
    }
    await coordinator.leave(transport)
    return latents
  }

  func stop() async {
    for name in workers.withLock({ Array($0.keys) }) { await silence(name) }
    await coordinator.stop()
    try? FileManager.default.removeItem(atPath: folder)
  }
}

final class ListBox<Value: Sendable>: Sendable {
  private let list = Mutex<[Value]>([])
  var values: [Value] { list.withLock { $0 } }
  func add(_ value: Value) { list.withLock { $0.append(value) } }
}

/// Keys of a coordinator and its workers, and who may connect.
struct TinyKeys: Sendable {
  let coordinator: KeyPair
  let workers: [String: KeyPair]
  let access: AccessControl

  init(_ names: String...) throws {
    coordinator = try KeyPair()
    var workers: [String: KeyPair] = [:]
    for name in names { workers[name] = try KeyPair() }
    self.workers = workers
    access = AccessControl(
      AllowList(workers.map { AllowList.Entry(name: $0.key, role: .worker, key: $0.value.publicKey) })!)
  }

  func revoke(_ name: String) { access.list = AllowList(access.list.entries.filter { $0.name != name })! }
}

/// A model of random weights among the fixtures, FLUX, DiT or HunyuanVideo, and what is rendered with it.
struct TinyModel: Sendable {
  enum Family: String, Sendable {
    case flux = "flux-dev-tiny"
    case dit = "dit-tiny"
    case hunyuanVideo = "hunyuan-tiny"
  }

  struct Task: Sendable {
    var cache: CacheSettings
    var seed: UInt64 = 7
    var steps = 8
    var isGuided = false
    /// What the noise is multiplied by.
    var latentScale: Float = 1
  }

  let family: Family
  let model: any RenderModel
  let digest: Messaging.Digest

  init(_ family: Family) throws {
    self.family = family
    let root = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
    model = try RenderModels.open(.folder("\(root)/Fixtures/reference/checkpoints/\(family.rawValue)"))
    digest = TinyCluster.digest(family == .flux ? 2 : family == .dit ? 3 : 4)
  }

  func transformer(_ blocks: BlockRange?) throws -> any DiffusionTransformer {
    try model.loadTransformer(.float32, blocks: blocks)
  }

  /// Some blocks of a FLUX whose second one has weights that are no numbers.
  func damagedTransformer(_ blocks: BlockRange) throws -> any DiffusionTransformer {
    let folder = FileManager.default.temporaryDirectory.appending(path: "damaged-\(UInt32.random(in: 0...UInt32.max))")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.copyItem(at: URL(filePath: model.path), to: folder)
    let path = folder.appending(path: "transformer").path(percentEncoded: false)
    let store = try TensorStore(folder: path)
    let tensors = try store.names.map { name in
      let tensor = try store.tensor(name)
      guard name == "transformer_blocks.1.ff.net.2.weight" else { return tensor }
      let values = [Float](repeating: .nan, count: tensor.shape.reduce(1, *))
      return try StoredTensor(name: name, shape: tensor.shape, values: values)
    }
    let file = "\(path)/diffusion_pytorch_model.safetensors"
    try SafetensorsWriter.write(tensors, to: file + ".new")
    for name in try FileManager.default.contentsOfDirectory(atPath: path) where name.contains(".safetensors") {
      if !name.hasSuffix(".new") { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }
    }
    try FileManager.default.moveItem(atPath: file + ".new", toPath: file)
    let damaged = try RenderModels.open(.folder(folder.path(percentEncoded: false)))
    return try damaged.loadTransformer(.float32, blocks: blocks)
  }

  var blockCount: Int { get throws { try transformer(nil).blockCount } }

  private var grid: TokenGrid {
    switch family {
    case .flux: TokenGrid(rows: 6, columns: 5)
    case .dit: model.grid(width: model.defaults.width, height: model.defaults.height, frames: 1)
    case .hunyuanVideo: TokenGrid(frames: 3, rows: 3, columns: 4)
    }
  }

  private static let textTokens = 9

  /// Random numbers around 0.
  private static func random(_ rows: Int, _ columns: Int, _ place: UInt32, _ seed: UInt64) -> Tensor {
    let numbers = RandomKey(seed: seed, purpose: .test, layer: place).uniforms(0..<rows * columns)
    return Tensor(numbers.map { $0 * 4 - 2 }, shape: [rows, columns])
  }

  private func inputs(_ row: UInt32, _ task: Task) throws -> SampleInputs {
    guard let shapes = try transformer(0..<1).promptShapes(textTokens: Self.textTokens) else {
      return SampleInputs(grid: grid, condition: .label(row == 0 ? 3 : nil))
    }
    return SampleInputs(
      grid: grid,
      condition: .text(
        Self.random(shapes.text[0], shapes.text[1], 2 * row + 1, task.seed),
        pooled: Self.random(1, shapes.pooled[0], 2 * row + 2, task.seed).reshaped([shapes.pooled[0]]),
        validTokens: family == .hunyuanVideo ? 4 : nil),
      guidance: model.takesGuidance ? 3.5 : nil)
  }

  func facts(_ task: Task) throws -> JobFacts {
    JobFacts(
      model: ModelKey(digest: digest, precision: .float32), modelName: family.rawValue, rows: task.isGuided ? 2 : 1,
      steps: task.steps,
      blocks: try model.blockCosts(
        grid: grid, textTokens: family == .dit ? 0 : Self.textTokens, policy: task.cache.policy, precision: .float32),
      overheadBytes: 1 << 20)
  }

  func denoising(_ task: Task) throws -> DenoisingTask {
    let channels = try transformer(0..<1).latentChannels
    var latents = Self.random(grid.tokens, channels, 0, task.seed)
    if task.latentScale != 1 { latents.scale(by: task.latentScale, adding: latents, times: 0) }
    return DenoisingTask(
      job: 0, latents: latents,
      schedule: model.schedule(steps: task.steps, grid: grid), inputs: try inputs(0, task),
      guidance: task.isGuided ? Guidance(inputs: try inputs(1, task), scale: 3) : nil, policy: task.cache.policy,
      choices: { [seed = task.seed] in KeyedChoices(seed: seed, row: $0) })
  }

  /// The kinds of the steps.
  func kinds(_ task: Task) async throws -> [StepKind] {
    var kinds: [StepKind] = []
    for try await step in Denoiser(try denoising(task), over: LocalTransport([try Stage(transformer(nil))])) {
      kinds.append(step.kind)
    }
    return kinds
  }

  /// The latents after each step, computed in this process.
  ///
  /// - Parameter cuts: the first block of each stage but the first.
  func latents(_ task: Task, cuts: [Int] = []) async throws -> [Tensor] {
    var latents: [Tensor] = []
    for try await step in Denoiser(try denoising(task), over: LocalTransport(try stages(cuts))) {
      latents.append(step.latents)
    }
    return latents
  }

  /// - Parameter cuts: the first block of each stage but the first.
  func stages(_ cuts: [Int]) throws -> [Stage] {
    let bounds = [0] + cuts + [try blockCount]
    return try zip(bounds, bounds.dropFirst()).map { try Stage(transformer($0..<$1)) }
  }

  /// Every caching method, with full and cached steps within eight.
  static func caches(_ family: Family) -> [CacheSettings] {
    CacheSettings.Method.allCases.map { method in
      var cache = (family == .flux ? CacheSettings.flux : family == .dit ? .dit : .hunyuan).using(method)
      // So that methods that decide by what they measure have both kinds of steps.
      (cache.warmupSteps, cache.minimumCachedSteps, cache.maximumContinuousSteps) = (2, 0, 4)
      if method == .teacache { cache.threshold = family == .flux ? 20 : 4 }
      if method == .fbcache { cache.threshold = family == .dit ? 1.5 : 0.4 }
      (cache.interval, cache.enhancedSteps, cache.clusters) = (3, 2, 5)
      cache.propagation = 0.2
      // Of those that have them one keeps outputs and differences in half of the memory, and one differences alone.
      if method == .taylorseer { (cache.outputs, cache.differences) = (.bfloat16, .bfloat16) }
      if method == .speca { cache.differences = .bfloat16 }
      return cache
    }
  }
}
