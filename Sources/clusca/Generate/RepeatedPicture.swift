import Media
import Rendering
import StrictJSON
import Tensors

/// The settings of a picture that is to be rendered again; options given beside it come before them.
struct RepeatedPicture: Sendable {
  private let path: String
  private let json: JSONObject

  init(_ path: String) throws {
    guard let json = try PictureMetadata(path: path).clusca?.object else {
      throw CommandFailure(
        .input, "\(path) does not say how it was made: it carries no settings of clusca; give the options instead.")
    }
    self.init(path: path, json: json)
  }

  /// - Parameter path: where the settings stand, for messages.
  init(path: String, json: JSONObject) {
    self.path = path
    self.json = json
  }

  /// Whether it shows a class, or none of a model of classes.
  var isOfClass: Bool { json["class_label"] != nil }

  /// The settings that a request to a coordinator may have; the model is named by the coordinator.
  var settingsForRequest: JSONObject {
    var settings = JSONObject()
    for (key, value) in json where JobRequest.keys.contains(key) && key != "model" && !value.isNull {
      settings[key] = value
    }
    return settings
  }

  /// A class by its number, as pictures keep it, or by its name, as requests may.
  func classLabel() throws -> String? {
    try value("class_label", "the number or name of a class") { value in
      value.string ?? value.int.flatMap { $0 >= 0 ? "\($0)" : nil }
    }
  }

  func string(_ key: String) throws -> String? { try value(key, "a text", \.string) }

  func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    try value(key, "a whole number from \(range.lowerBound) to \(range.upperBound)") { value in
      value.int.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func number(_ key: String) throws -> Double? {
    try value(key, "a number from 0 to 1000") { value in value.double.flatMap { (0...1000).contains($0) ? $0 : nil } }
  }

  func framesPerSecond() throws -> Double? {
    let limit = RenderRequest.maximumFramesPerSecond
    return try value("fps", "a number above 0 up to \(Int(limit))") { value in
      value.double.flatMap { $0 > 0 && $0 <= limit ? $0 : nil }
    }
  }

  func seed() throws -> UInt64? {
    try value("seed", "a seed") { value in value.int.flatMap(UInt64.init(exactly:)) ?? value.string.flatMap(UInt64.init)
    }
  }

  func choice<Choice: RawRepresentable<String>>(_ key: String, _ type: Choice.Type) throws -> Choice? {
    try value(key, "a known choice") { $0.string.flatMap(Choice.init(rawValue:)) }
  }

  func precision() throws -> Precision? {
    try value("dtype", "float32, bf16 or int8") { $0.string.flatMap(Precision.init(argument:)) }
  }

  /// The caching, beginning with the settings of the family.
  func cache(_ base: CacheSettings) throws -> CacheSettings {
    guard let cache = json["cache"]?.object else { return base }
    do {
      return try base.with(cache, family: base)
    } catch let error as CacheOptionError {
      throw CommandFailure(.input, "\(path) holds settings that cannot be used: \(error).")
    }
  }

  private func value<Value>(_ key: String, _ expected: String, _ convert: (JSONValue) -> Value?) throws -> Value? {
    guard let json = json[key], !json.isNull else { return nil }
    guard let value = convert(json) else { throw failure(key, expected) }
    return value
  }

  private func failure(_ key: String, _ expected: String) -> CommandFailure {
    CommandFailure(.input, "\(path) holds settings that cannot be used: \"\(key)\" is not \(expected).")
  }
}
