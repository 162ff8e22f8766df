import Messaging
import Rendering
import Tensors
import Transformers

/// A model that a worker can take blocks of.
public struct WorkerModel: Sendable {
  public var digest: Digest
  /// For people.
  public var name: String
  /// Loads some blocks.
  public var load: @Sendable (Precision, BlockRange) throws -> any DiffusionTransformer
  /// For prompts and pixels; nil for a worker that does neither.
  public var parts: ModelParts?

  public init(
    digest: Digest, name: String, parts: ModelParts? = nil,
    load: @escaping @Sendable (Precision, BlockRange) throws -> any DiffusionTransformer
  ) {
    self.digest = digest
    self.name = name
    self.parts = parts
    self.load = load
  }
}

/// What a worker is from its start on.
public struct WorkerConfiguration: Sendable {
  /// Unique among the workers; under CURVE the name of its key.
  public var name: String
  public var coordinator: Endpoint
  /// Where it takes tensors from other workers and the coordinator.
  public var address: Endpoint
  /// Where others find that; the same unless given.
  public var advertised: Endpoint?
  public var security: ClusterSecurity
  public var build: String
  public var numerics: Digest
  public var models: [WorkerModel]
  public var threads: Int
  /// What it may use.
  public var memoryBytes: Int
  /// As measured; see ``SpeedProbe``.
  public var operationsPerSecond: Double
  /// What it does.
  public var roles = WorkerRoles.stages
  /// Of its link; nil: to be measured.
  public var bytesPerSecond: Double?
  /// The memory of the process, for reports.
  public var residentBytes: @Sendable () -> Int
  /// Told what people should know.
  public var note: @Sendable (String) -> Void

  public init(
    name: String, coordinator: Endpoint, address: Endpoint, security: ClusterSecurity, build: String,
    numerics: Digest, models: [WorkerModel], threads: Int, memoryBytes: Int, operationsPerSecond: Double,
    residentBytes: @escaping @Sendable () -> Int = { 0 }, note: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.name = name
    self.coordinator = coordinator
    self.address = address
    self.security = security
    self.build = build
    self.numerics = numerics
    self.models = models
    self.threads = threads
    self.memoryBytes = memoryBytes
    self.operationsPerSecond = operationsPerSecond
    self.residentBytes = residentBytes
    self.note = note
  }
}
