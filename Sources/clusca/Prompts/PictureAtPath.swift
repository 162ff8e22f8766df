import Files
import Media
import StrictJSON

/// What is at the place where a picture is to go: how a run that was interrupted finds out what it need not do again.
enum PictureAtPath: Equatable, Sendable {
  case missing
  /// A picture with all of the settings asked for.
  case same
  /// Something else. `reason` says what, for a message.
  case other(reason: String)

  /// Looks at the file `path`.
  ///
  /// - Parameter settings: What the picture must have been made with. Each member must have an equal one in the JSON that
  ///   a picture carries under `clusca`; members that only the picture has do not matter.
  init(path: String, settings: JSONObject) {
    do {
      // Of a PNG every chunk and its check sum are read, so a file that another program wrote by half is noticed.
      guard let made = try PictureMetadata(path: path).clusca?.object else {
        self = .other(reason: "\(path) does not say how it was made.")
        return
      }
      if let key = settings.keys.first(where: { !Self.isEqual(settings[$0], made[$0]) }) {
        self = .other(reason: "\(path) was made with another \"\(key)\".")
      } else {
        self = .same
      }
    } catch let error as FileError {
      self = error.failure == .noSuchFile ? .missing : .other(reason: "\(error).")
    } catch {
      self = .other(reason: "\(path): \(error)")
    }
  }

  /// Numbers are equal however they are written, texts if their bytes are (a tokenizer may tell a composed é from a
  /// decomposed one), objects if their members are, and a missing value is equal to null.
  static func isEqual(_ left: JSONValue?, _ right: JSONValue?) -> Bool {
    let (left, right) = (left ?? .null, right ?? .null)
    if let left = left.double, let right = right.double { return left == right }
    if let left = left.string, let right = right.string { return left.utf8.elementsEqual(right.utf8) }
    if let left = left.object, let right = right.object {
      return Set(left.keys + right.keys).allSatisfy { isEqual(left[$0], right[$0]) }
    }
    return left == right
  }
}

extension PromptEntry {
  /// What the entry itself asks for, under the names of ``PromptKey``. A random seed and the place are not part of it.
  var settings: JSONObject {
    var settings: JSONObject = classLabel == nil ? ["prompt": .string(prompt)] : [:]
    if let label = classLabel.flatMap({ Int($0) }) { settings[PromptKey.classLabel.rawValue] = .integer(label) }
    if let negativePrompt { settings[PromptKey.negativePrompt.rawValue] = .string(negativePrompt) }
    if let seed, seed >= 0 { settings[PromptKey.seed.rawValue] = .integer(seed) }
    if let width { settings[PromptKey.width.rawValue] = .integer(width) }
    if let height { settings[PromptKey.height.rawValue] = .integer(height) }
    if let steps { settings[PromptKey.steps.rawValue] = .integer(steps) }
    if let guidance { settings[PromptKey.guidance.rawValue] = .number(guidance) }
    if let cfgScale { settings[PromptKey.cfgScale.rawValue] = .number(cfgScale) }
    return settings
  }

  /// Whether the picture of this entry is at `path` already.
  ///
  /// - Parameter common: What the command's options add, such as model and cache policy, as the picture would keep it. The
  ///   entry's own settings count before these.
  func isDone(at path: String, common: JSONObject = [:]) -> Bool {
    var wanted = common
    for (key, value) in settings { wanted[key] = value }
    return PictureAtPath(path: path, settings: wanted) == .same
  }
}
