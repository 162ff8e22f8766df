import FeatureCaching
import Messaging
import Rendering
import StrictJSON
import Transformers

/// What travels of a sample's setup beside numbers and tensors: the JSON in the payload of `openSample`.
struct SampleSettings: Sendable, Equatable {
  var cache: CacheSettings
  /// The class, for models of classes; nil for none in particular.
  var classLabel: Int?

  static let maximumBytes = 16 << 10

  init(cache: CacheSettings, classLabel: Int?) {
    self.cache = cache
    self.classLabel = classLabel
  }

  var payload: Payload {
    let streams = TokenStream.allCases.filter(cache.propagatingStreams.contains).map { JSONValue.string("\($0)") }
    let json: JSONObject = [
      "cache": .object(cache.json), "propagating_streams": .array(streams),
      "class_label": classLabel.map(JSONValue.integer) ?? .null,
    ]
    return Payload(JSONValue.object(json).text())
  }

  /// - Throws: ``WireError`` for anything but what ``payload`` makes.
  init(_ payload: Payload) throws {
    let json: JSONValue
    do {
      json = try JSONValue(parsing: payload.bytes)
    } catch {
      throw WireError("The settings of a sample are no JSON: \(error)")
    }
    guard let cache = json["cache"]?.object, let streams = json["propagating_streams"]?.array else {
      throw WireError("The settings of a sample lack their caching")
    }
    // Whatever the method does not name has no meaning for it.
    let base = CacheSettings.flux
    do {
      self.cache = try base.with(cache, family: base)
    } catch {
      throw WireError("The settings of a sample: \(error)")
    }
    self.cache.propagatingStreams = try Set(
      streams.map { value in
        guard let stream = TokenStream.allCases.first(where: { .string("\($0)") == value }) else {
          throw WireError("The settings of a sample name an unknown stream")
        }
        return stream
      })
    classLabel = json["class_label"]?.int
    guard classLabel.map({ $0 >= 0 }) ?? true else { throw WireError("The settings of a sample name no class") }
  }
}

/// What arrived well-formed and cannot be, as one sentence.
struct WireError: Error, Sendable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
