import Files
import StrictJSON
import Tensors

/// One run of other software, recorded: its settings, its tensors and how closely they can be met.
public struct GoldenCase: Sendable {
  /// The folder that the files and checkpoints of all cases are named relative to.
  public let root: String
  public let name: String
  /// What was run, such as "FluxPipeline".
  public let kind: String
  /// The safetensors file with the recorded tensors.
  public let file: String
  /// The folder of the checkpoint that was run; nil if there was none.
  public let checkpoint: String?
  /// The settings of the run; an empty object if none are given.
  public let config: JSONValue
  public let tolerance: GoldenTolerance

  /// nil if the entry of the manifest lacks something or if something has the wrong type.
  init?(_ entry: JSONValue, root: String) {
    guard
      let name = entry["name"]?.string, let kind = entry["kind"]?.string, let file = entry["file"]?.string,
      let tolerance = entry["tolerance"].flatMap(GoldenTolerance.init)
    else { return nil }
    self.root = root
    self.name = name
    self.kind = kind
    self.file = "\(root)/\(file)"
    checkpoint = entry["checkpoint"]?.string.map { "\(root)/\($0)" }
    config = entry["config"] ?? .object([:])
    self.tolerance = tolerance
  }
}

/// How far a tensor may be from the recorded one, as the manifest says.
public struct GoldenTolerance: Sendable {
  /// Whether distances are absolute, rather than in units of the recorded tensor's root mean square.
  public let isAbsolute: Bool
  private let general: Double
  private let byGroup: [String: Double]

  init?(_ json: JSONValue) {
    guard let general = json["suggested_tol"]?.double, general >= 0 else { return nil }
    self.general = general
    isAbsolute = !(json["metric"]?.string ?? "").contains("rms")
    var byGroup: [String: Double] = [:]
    for (group, value) in json["suggested_tol_by_group"]?.object.map(Array.init) ?? [] {
      guard let value = value.double else { return nil }
      byGroup[group] = value
    }
    self.byGroup = byGroup
  }

  /// The largest distance at which the tensor of this name counts as met.
  public func limit(_ tensor: String) -> Double { byGroup[Self.group(tensor)] ?? general }

  /// The groups that the manifest gives tolerances for, told apart as it does.
  private static func group(_ tensor: String) -> String {
    if tensor.contains(".block.") { return "blocks" }
    if tensor.hasSuffix("model_out") || tensor.hasSuffix("guided") { return "model_out" }
    if tensor.hasSuffix(".latents") { return "latents" }
    if tensor.hasPrefix("vae.") { return "vae" }
    if tensor.hasPrefix("pixels") { return "pixels" }
    if tensor.hasPrefix("text_encoder") { return "text" }
    return "other"
  }
}

extension GoldenCase {
  /// The checkpoint's folder.
  ///
  /// - Throws: `FileError` if the manifest names none.
  var requiredCheckpoint: String {
    get throws {
      guard let checkpoint else { throw FileError(path: "manifest.json", reason: "names no checkpoint for \(name)") }
      return checkpoint
    }
  }
}
