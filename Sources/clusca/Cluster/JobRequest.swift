import Messaging
import RenderCluster
import Rendering
import StrictJSON

/// A picture or video that a client asks a coordinator for: settings under the names that pictures keep them by, as JSON. What is
/// left out is the model's default.
struct JobRequest: Sendable {
  /// The keys that a request may have; an unknown one is a mistake that would otherwise go unnoticed.
  static let keys: Set<String> = [
    "model", "prompt", "prompt_2", "negative_prompt", "class_label", "seed", "width", "height", "steps", "guidance",
    "cfg_scale", "cfg_channels", "scheduler", "max_sequence_length", "cache", "dtype", "noise_dtype", "noise_compat",
    "vae_tiling", "frames", "fps", "priority",
  ]

  let json: JSONObject

  init(json: JSONObject) { self.json = json }

  /// - Throws: ``CommandFailure`` for what is no request.
  init(_ bytes: [UInt8]) throws {
    let value: JSONValue
    do {
      value = try JSONValue(parsing: bytes)
    } catch {
      throw CommandFailure(.usage, "The request is no JSON: \(error).")
    }
    guard let json = value.object else { throw CommandFailure(.usage, "The request is no JSON object.") }
    if let unknown = json.keys.first(where: { !Self.keys.contains($0) }) {
      throw CommandFailure(.usage, "The request has an unknown setting, \"\(ErrorReport.oneLine(unknown))\".")
    }
    self.json = json
  }

  /// All settings of the picture, and the model that makes it.
  ///
  /// - Throws: ``CommandFailure`` for a model that is not served, and for settings that cannot be.
  func resolved(_ models: [ServedModel]) throws -> (settings: PictureSettings, model: ServedModel) {
    for key in ["prompt", "prompt_2", "negative_prompt", "class_label"] {
      guard let count = json[key]?.string?.utf8.count, count > Limits().promptBytes else { continue }
      throw CommandFailure(
        .usage, "\"\(key)\" has \(count) bytes, but a coordinator takes at most \(Limits().promptBytes).")
    }
    let repeated = RepeatedPicture(path: "The request", json: json)
    let name = try repeated.string("model") ?? models.first(ofClasses: repeated.isOfClass).name
    guard let served = models.first(where: { $0.name == name }) else {
      throw CommandFailure(
        .usage,
        "The model \"\(ErrorReport.oneLine(name))\" is not served here; there is "
          + models.map(\.name).joined(separator: ", ") + ".")
    }
    let scheduled = try PictureOptions.parse([]).scheduled(served.model, repeated)
    let model = ServedModel(name: served.name, model: scheduled, digest: served.digest)
    let settings = try RepeatedCommand().settings(repeated, model: scheduled, modelName: served.name)
    guard scheduled.framesPerLatent != nil || json["frames"]?.int ?? 1 == 1 && json["fps"] == nil else {
      throw CommandFailure(
        .usage, "--frames and --fps are for models of videos such as HunyuanVideo, but \(served.name) makes pictures.")
    }
    guard scheduled.classLabels != nil || isPrompt(json["prompt"]) else {
      throw CommandFailure(.usage, "The request has no prompt.")
    }
    return (settings, model)
  }

  /// Those with a higher one come first.
  ///
  /// - Throws: ``CommandFailure``.
  func priority() throws -> Int {
    guard let value = json["priority"] else { return 0 }
    let range = LedgerJob.priorities
    guard let priority = value.int, range.contains(priority) else {
      throw CommandFailure(
        .usage, "The priority is not a whole number from \(range.lowerBound) to \(range.upperBound).")
    }
    return priority
  }

  /// An empty one stands for none; spaces alone are a mistake.
  private func isPrompt(_ value: JSONValue?) -> Bool {
    guard let text = value?.string else { return false }
    return text.isEmpty || text.unicodeScalars.contains { !$0.properties.isWhitespace }
  }
}
