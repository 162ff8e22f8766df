import Messaging
import RenderCluster
import Rendering
import Tensors

/// A model that a coordinator or worker has, under the name by which requests call it.
struct ServedModel: Sendable {
  let name: String
  let model: any RenderModel
  /// Of the transformer.
  let digest: Messaging.Digest

  /// Opens models; that for prompts which comes with clusca if none is given.
  ///
  /// - Throws: ``CommandFailure`` for two of one name, and what is wrong with a checkpoint.
  static func open(_ names: [String]) throws -> [ServedModel] {
    let cache = DigestCache(environment: Environment.variables)
    var models: [ServedModel] = []
    for name in names.isEmpty ? [DefaultModel.prompts.name] : names {
      let model = try RenderModels.open(DefaultModel.reference(name))
      let short = name.split(separator: "/").last.map(String.init) ?? name
      guard !models.contains(where: { $0.name == short }) else {
        throw CommandFailure(.usage, "Two models have the name \(short); a request could not tell them apart.")
      }
      let digest = try ModelDigest.transformer(of: model.path, remembering: cache)
      models.append(ServedModel(name: short, model: model, digest: Messaging.Digest(digest)))
    }
    return models
  }

  func workerModel(_ roles: WorkerRoles) throws -> WorkerModel {
    let parts = roles.isDisjoint(with: [.encode, .decode]) ? nil : try ModelParts(model)
    return WorkerModel(digest: digest, name: name, parts: parts) { [model] precision, blocks in
      try model.loadTransformer(
        precision, blocks: blocks, packed: PackedWeights.file(of: model.path, precision, isQuiet: false))
    }
  }
}

extension [ServedModel] {
  /// The one for requests that name none: the first that takes classes, or prompts, if there is one.
  func first(ofClasses: Bool) -> ServedModel { first { ($0.model.classLabels != nil) == ofClasses } ?? self[0] }
}
