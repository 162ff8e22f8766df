import Messaging
import RenderCluster
import Rendering
import Tensors

/// A model whose blocks are with the workers of a coordinator.
struct ClusterStages: Sendable {
  let coordinator: Coordinator
  /// Of the transformer.
  let digest: Messaging.Digest
  let modelName: String
  /// So many pictures are worth being in flight together.
  let picturesAtOnce: Int
  /// The number of the one job that is rendered with these; they are counted unless given.
  var job: UInt64?

  /// What workers do of the model beside its blocks.
  func parts(_ model: any RenderModel, _ precision: Precision) -> RemoteParts {
    RemoteParts(coordinator, model, digest: digest, precision: precision)
  }

  /// Waits until there is room for a picture.
  func admit(_ settings: PictureSettings, _ model: any RenderModel) async throws -> RemoteTransport {
    try await coordinator.admit(
      JobFacts(settings, model: model, digest: digest, modelName: modelName), cache: settings.cache,
      seed: settings.seed, job: job)
  }
}

extension JobFacts {
  /// What a picture costs the workers.
  init(_ settings: PictureSettings, model: any RenderModel, digest: Messaging.Digest, modelName: String) throws {
    let request = settings.request
    let grid = model.grid(request)
    try self.init(
      model: ModelKey(digest: digest, precision: settings.precision), modelName: modelName, rows: request.rows,
      steps: request.steps,
      blocks: model.blockCosts(
        grid: grid, textTokens: request.textTokens, policy: request.cache.policy, steps: request.steps,
        precision: settings.precision),
      overheadBytes: model.stageBytes(settings.precision))
  }
}

extension Messaging.Digest {
  init(_ digest: SHA256.Digest) {
    guard let converted = Messaging.Digest(digest.bytes) else { preconditionFailure("a SHA-256 has 32 bytes") }
    self = converted
  }
}
