import RenderCluster
import Rendering
import Tensors

/// What a coordinator needs of a model beside its blocks, whatever its scheduler: prompts and pixels. Workers do these where
/// there are some for it; otherwise, and where one fails at it, the coordinator does.
struct ModelHost: Sendable {
  private let parts: ModelParts

  init(_ served: ServedModel) throws { parts = try ModelParts(served.model) }

  /// A session for one picture, whose prompts are encoded here and now.
  func session(
    _ settings: PictureSettings, _ model: any RenderModel, _ cluster: ClusterStages, job: UInt64
  ) async throws -> RenderSession {
    let (request, precision) = (settings.request, settings.precision)
    let remote = cluster.parts(model, precision)
    var encoded: [Subject: EncodedSubject] = [:]
    for subject in request.subjects where encoded[subject] == nil {
      if let elsewhere = try await remote.encode(subject, maximumTokens: request.textTokens, job: job) {
        encoded[subject] = elsewhere
      } else {
        encoded[subject] = try await parts.encode(subject, maximumTokens: request.textTokens, precision: precision)
      }
    }
    return RenderSession(model, [request], encoded: encoded)
  }

  /// The pixels of latents, `[frames, height, width, 3]` in 0...1.
  ///
  /// - Throws: ``CommandFailure`` if the coordinator has to do it and has not the memory.
  func decode(
    _ latents: Tensor, of run: RenderSession.Run, _ settings: PictureSettings, _ model: any RenderModel,
    _ cluster: ClusterStages, job: UInt64
  ) async throws -> Tensor {
    let (tiling, precision) = (settings.request.tiling, settings.precision)
    let shape = [settings.frames ?? 1, settings.height, settings.width, 3]
    if let pixels = try await cluster.parts(model, precision).decode(latents, run.grid, tiling, shape: shape, job: job)
    {
      return pixels
    }
    let needed = await parts.decodingBytes(run.grid, tiling, precision)
    if let available = Memory.available, needed > available {
      throw CommandFailure(
        .memory,
        "Decoding takes about \(ByteCount(needed)) of memory, but the coordinator has \(ByteCount(available)) available; "
          + "a worker with --roles decode and more memory helps.")
    }
    return try await parts.decode(latents, run.grid, tiling, precision: precision)
  }
}
