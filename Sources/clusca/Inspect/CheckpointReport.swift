import Files
import Rendering
import StrictJSON
import Tensors

/// A checkpoint in the layout of diffusers: `model_index.json` and a folder for each part that it names.
struct CheckpointReport: InspectionReport {
  let folder: String
  /// Such as `FluxPipeline`.
  let pipeline: String?
  /// Such as `flux`; nil if the pipeline cannot be rendered.
  let family: String?
  let parts: [PartReport]
  let problems: [String]
  /// The precisions in which its weights are packed for this processor.
  let packed: [Precision]

  init(folder: String) throws {
    let index = try PartConfiguration(path: "\(folder)/model_index.json")
    var parts: [PartReport] = []
    var problems: [String] = []
    for (name, value) in index.json.object ?? [:] where !name.hasPrefix("_") {
      // `[library, class]`; `[null, null]` is a part that this checkpoint does without, other values are options.
      guard let pair = value.array, pair.count == 2, let className = pair[1].string else { continue }
      guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else {
        problems.append("\(index.path): the part \"\(name.prefix(60))\" would not be a folder of the checkpoint")
        continue
      }
      let path = "\(folder)/\(name)"
      guard Folder.isFolder(path) else {
        problems.append("\(path): this part of the checkpoint is missing")
        continue
      }
      parts.append(PartReport(name: name, declaredClass: className, folder: path))
    }
    if parts.isEmpty, problems.isEmpty { problems.append("\(index.path): it names no parts") }
    self.folder = folder
    pipeline = index.json["_class_name"]?.string
    family = pipeline.flatMap { RenderModels.families[$0] }
    self.parts = parts
    packed = Precision.allCases.filter { PackedWeights.file(of: folder, $0, isQuiet: true) != nil }
    self.problems = problems + parts.flatMap(\.problems)
  }

  /// Parameters and bytes of all parts.
  var total: TensorSummary.Count {
    parts.compactMap(\.weights?.summary.total).reduce(into: TensorSummary.Count()) { sum, part in
      sum.tensors += part.tensors
      sum.elements += part.elements
      sum.bytes += part.bytes
    }
  }

  /// One line about all of it.
  var headline: String {
    "\(pipeline ?? "unknown pipeline"), \(DecimalText.grouped(total.elements)) parameters, \(ByteCount(total.bytes))"
  }

  func lines(withTensors: Bool) -> [String] {
    let own = problems.dropLast(parts.flatMap(\.problems).count)
    return [
      "\(folder): \(headline)", "family: \(family ?? "none that can be rendered")",
      "packed for: \(packed.isEmpty ? "nothing (see clusca pack)" : packed.map(\.optionValue).joined(separator: ", "))",
    ] + own.map { "problem: \($0)" }
      + parts.flatMap { [""] + $0.lines(withTensors: withTensors) }
  }

  func json(withTensors: Bool) -> JSONValue {
    [
      "kind": "checkpoint", "path": .string(folder), "pipeline": pipeline.map(JSONValue.string) ?? .null,
      "family": family.map(JSONValue.string) ?? .null,
      "packed": .array(packed.map { .string($0.optionValue) }),
      "parameters": .integer(total.elements), "bytes": .integer(total.bytes),
      "parts": .array(parts.map { $0.json(withTensors: withTensors) }),
      "problems": .array(problems.map(JSONValue.string)),
    ]
  }
}
