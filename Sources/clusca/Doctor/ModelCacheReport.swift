import Files
import StrictJSON
import Tensors

/// The models that the cache of Hugging Face holds.
struct ModelCacheReport {
  struct Model {
    let name: String
    /// Such as "FluxPipeline, 11,901,408,320 parameters, 23.8 GB"; nil if it cannot be used.
    let description: String?
    let problem: String?
  }

  /// Nil if no variable says where it is.
  let folder: String?
  let exists: Bool
  let models: [Model]
  let warnings: [String]

  /// A cache may hold thousands; a report with all of them would not be read.
  private static let limit = 100

  init(environment: [String: String]) {
    guard let cache = try? HuggingFaceCache(environment: environment) else {
      (folder, exists, models) = (nil, false, [])
      warnings = ["The cache of Hugging Face cannot be found: set HF_HOME or HOME."]
      return
    }
    folder = cache.folder
    exists = Folder.isFolder(cache.folder)
    guard exists else {
      (models, warnings) = ([], [])
      return
    }
    let names: [String]
    do {
      names = try Folder.names(in: cache.folder)
    } catch {
      models = []
      warnings = ["\(error)."]
      return
    }
    let repositories = names.filter { $0.hasPrefix("models--") }
    models = repositories.prefix(Self.limit).map { Self.model(folder: $0, in: cache) }
    var warnings = models.compactMap { model in model.problem.map { "\(model.name): \($0)" } }
    if repositories.count > Self.limit {
      warnings.append("Only \(Self.limit) of \(repositories.count) cached models were looked at.")
    }
    self.warnings = warnings
  }

  private static func model(folder: String, in cache: HuggingFaceCache) -> Model {
    // Names hold no `--`, so what stands between the first two separates organisation and name.
    let name = String(folder.dropFirst("models--".count).replacing("--", with: "/", maxReplacements: 1))
    do {
      let snapshot = try cache.snapshotFolder(for: name)
      guard Folder.isRegularFile("\(snapshot)/model_index.json") else {
        return Model(name: name, description: "no pipeline of diffusers", problem: nil)
      }
      let report = try CheckpointReport(folder: snapshot)
      return Model(
        name: name, description: report.problems.isEmpty ? report.headline : nil, problem: report.problems.first)
    } catch {
      return Model(name: name, description: nil, problem: ErrorReport(error).sentence)
    }
  }

  var lines: [(String, String)] {
    guard let folder else { return [("Hugging Face cache", "not found")] }
    let state = !exists ? "does not exist" : models.isEmpty ? "no models" : "\(models.count) models"
    return [("Hugging Face cache", "\(folder) (\(state))")]
      + models.map { ("  \($0.name)", $0.description ?? "cannot be used") }
  }

  var json: JSONValue {
    [
      "folder": folder.map(JSONValue.string) ?? .null, "exists": .bool(exists),
      "models": .array(
        models.map { model in
          [
            "name": .string(model.name), "description": model.description.map(JSONValue.string) ?? .null,
            "problem": model.problem.map(JSONValue.string) ?? .null,
          ]
        }),
    ]
  }
}
