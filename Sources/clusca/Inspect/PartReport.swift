import Files
import StrictJSON
import Tensors

/// One part of a checkpoint, such as `transformer` or `vae`: a folder with a configuration, weights or both.
struct PartReport: InspectionReport {
  /// The name in the pipeline; nil for a folder that is looked at alone.
  let name: String?
  let folder: String
  /// Such as `FluxTransformer2DModel`.
  let className: String?
  let configuration: [(key: String, value: JSONValue)]
  let weights: WeightsReport?
  /// The names of files that are neither the configuration nor weights.
  let otherFiles: [String]
  let problems: [String]

  /// - Parameter declaredClass: The class that the pipeline's model_index.json gives.
  init(name: String?, declaredClass: String?, folder: String) {
    self.name = name
    self.folder = folder
    var problems: [String] = []
    func attempt<Value>(_ body: () throws -> Value) -> Value? {
      do {
        return try body()
      } catch {
        problems.append(ErrorReport(error).sentence ?? "\(folder) cannot be read.")
        return nil
      }
    }

    let names = attempt { try Folder.names(in: folder) } ?? []
    var configuration: PartConfiguration?
    if let file = Self.configurationNames.first(where: names.contains) {
      configuration = attempt { try PartConfiguration(path: "\(folder)/\(file)") }
    }
    let json = configuration?.json
    className =
      declaredClass ?? json?["_class_name"]?.string ?? json?["architectures"]?[0]?.string ?? json?["model_type"]?.string
    self.configuration = Array(json?.object ?? [:]).filter { !$0.key.hasPrefix("_") && Self.isShown($0.value) }

    let hasWeights = names.contains { $0.contains(".safetensors") || Self.otherWeights.contains(where: $0.hasSuffix) }
    // Tokenizers and schedulers have no weights; a model whose configuration stands alone is incomplete.
    let isModel = names.contains("config.json")
    weights = hasWeights || isModel ? attempt { WeightsReport(store: try TensorStore(folder: folder)) } : nil
    otherFiles = names.filter { !Self.configurationNames.contains($0) && !$0.contains(".safetensors") }
    self.problems = problems
  }

  private static let configurationNames = [
    "config.json", "scheduler_config.json", "preprocessor_config.json", "tokenizer_config.json",
  ]
  private static let otherWeights = [".bin", ".pt", ".pth", ".ckpt"]

  /// Numbers, texts, switches and short lists of these describe an architecture; tables of labels do not.
  private static func isShown(_ value: JSONValue) -> Bool {
    switch value {
    case .null, .object: false
    case .string(let text): text.utf8.count <= 100
    case .array(let values): values.count <= 16 && values.allSatisfy { $0.object == nil && $0.array == nil }
    default: true
    }
  }

  func lines(withTensors: Bool) -> [String] {
    var lines = ["\(name ?? folder): \(className ?? "unknown class")"]
    var rows = configuration.map { (label: $0.key, value: $0.value.string ?? $0.value.text()) }
    if let weights { rows += weights.fileRows + weights.summary.rows }
    if !otherFiles.isEmpty {
      let rest = otherFiles.count > 12 ? " and \(otherFiles.count - 12) more" : ""
      rows.append(("other files", otherFiles.prefix(12).joined(separator: ", ") + rest))
    }
    rows += problems.map { ("problem", $0) }
    lines += Table.lines(rows, indent: 2)
    if withTensors, let weights { lines += ["  tensors"] + Table.lines(weights.tensorRows, indent: 4) }
    return lines
  }

  func json(withTensors: Bool) -> JSONValue {
    var configuration = JSONObject()
    for (key, value) in self.configuration { configuration[key] = value }
    var json: JSONObject = [
      "kind": "part", "path": .string(folder), "class": className.map(JSONValue.string) ?? .null,
      "configuration": .object(configuration),
      "other_files": .array(otherFiles.map(JSONValue.string)), "problems": .array(problems.map(JSONValue.string)),
    ]
    if let name { json["name"] = .string(name) }
    if let weights {
      json["files"] = weights.filesJSON
      for (key, value) in weights.summary.json { json[key] = value }
      if withTensors { json["tensors"] = weights.tensorsJSON }
    }
    return .object(json)
  }
}
