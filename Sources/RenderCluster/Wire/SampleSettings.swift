import FeatureCaching
import Messaging
import Rendering
import StrictJSON
import Tensors
import Transformers

/// What travels of a sample's setup beside numbers and tensors: the JSON in the payload of `openSample`.
struct SampleSettings: Sendable, Equatable {
  var cache: CacheSettings
  /// The class, for models of classes; nil for none in particular.
  var classLabel: Int?
  /// How many tokens of a prompt are no padding; nil for models without a mask.
  var validTokens: Int?
  /// Those of the steps, 0...1000, in their order.
  var timesteps: [Float]
  /// Of whatever decides about the sample's numbers, prompts among them; nil for a job that is not remembered. Stages look at
  /// it when they are to go on with what they hold.
  var request: SHA256.Digest?

  init(cache: CacheSettings, classLabel: Int?, validTokens: Int? = nil, timesteps: [Float]) {
    self.cache = cache
    self.classLabel = classLabel
    self.validTokens = validTokens
    self.timesteps = timesteps
  }

  var payload: Payload {
    let streams = TokenStream.allCases.filter(cache.propagatingStreams.contains).map { JSONValue.string("\($0)") }
    let json: JSONObject = [
      "cache": .object(cache.json), "family": .string(cache.family.rawValue), "propagating_streams": .array(streams),
      "authors_quirks": .integer(Int(cache.authorsQuirks.rawValue)),
      "class_label": classLabel.map(JSONValue.integer) ?? .null,
      "valid_text_tokens": validTokens.map(JSONValue.integer) ?? .null,
      "timesteps": .array(timesteps.map { .number(Double($0)) }),
      "request": request.map { .string($0.description) } ?? .null,
    ]
    return Payload(JSONValue.object(json).text())
  }

  /// - Throws: ``WireError`` for anything but what ``payload`` makes.
  init(_ payload: Payload) throws {
    let json = try JSONValue(payload, of: "a sample")
    guard let cache = json["cache"]?.object, let streams = json["propagating_streams"]?.array else {
      throw WireError("The settings of a sample lack their caching")
    }
    guard let family = json["family"]?.string.flatMap(CacheSettings.Family.init(rawValue:)) else {
      throw WireError("The settings of a sample lack their family")
    }
    // Whatever the method does not name has no meaning for it.
    var base = CacheSettings.of(family)
    guard let quirks = json["authors_quirks"]?.int.flatMap(UInt8.init(exactly:)) else {
      throw WireError("The settings of a sample lack the quirks of its family")
    }
    base.authorsQuirks = ClusCa.Quirks(rawValue: quirks)
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
    validTokens = json["valid_text_tokens"]?.int
    guard let timesteps = json["timesteps"]?.array?.map({ $0.double.map(Float.init) }),
      !timesteps.contains(where: { $0.map { !(0...1000).contains($0) } ?? true })
    else { throw WireError("The settings of a sample lack the times of its steps") }
    self.timesteps = timesteps.compactMap { $0 }
    request = json["request"]?.string.flatMap { SHA256.Digest($0) }
  }
}

/// What arrived well-formed and cannot be, as one sentence.
struct WireError: Error, Sendable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

extension JSONValue {
  /// The settings that travel as the payload of a message.
  ///
  /// - Parameter subject: what they are those of, for the error.
  init(_ payload: Payload, of subject: String) throws {
    do {
      self = try JSONValue(parsing: payload.bytes)
    } catch {
      throw WireError("The settings of \(subject) are no JSON: \(error)")
    }
  }
}
