import Files
import StrictJSON

/// The `config.json` of one part of a checkpoint: values by key, checked, with errors that name file and key.
public struct PartConfiguration: Sendable {
  /// The file, for messages.
  public let path: String
  public let json: JSONValue

  public static let maximumBytes = 32 << 20

  public init(path: String) throws {
    let bytes = try RegularFile(path: path).contents(maximumBytes: Self.maximumBytes)
    do {
      try self.init(
        path: path,
        json: JSONValue(
          parsing: bytes,
          limits: JSONLimits(
            maximumBytes: Self.maximumBytes, maximumDepth: 32, acceptsNonFiniteNumbers: true)))
    } catch let error as JSONError {
      throw FileError(path: path, reason: "is no valid JSON: \(error)")
    }
  }

  public init(path: String, json: JSONValue) throws {
    guard json.object != nil else { throw FileError(path: path, reason: "is no JSON object") }
    self.path = path
    self.json = json
  }

  /// Whether there is a value other than null.
  public func contains(_ key: String) -> Bool { json[key].map { !$0.isNull } ?? false }

  /// A whole number within bounds; `default` stands for a missing value and for null.
  public func integer(_ key: String, default fallback: Int? = nil, in range: ClosedRange<Int>) throws -> Int {
    try value(key, fallback, "a whole number", in: range, \.int)
  }

  public func integers(_ key: String, default fallback: [Int]? = nil, in range: ClosedRange<Int>) throws -> [Int] {
    try value(key, fallback, "a list of whole numbers in \(range.lowerBound)...\(range.upperBound)") { json in
      guard let array = json.array, !array.isEmpty, array.count <= 64 else { return nil }
      let numbers = array.compactMap { $0.int.flatMap { range.contains($0) ? $0 : nil } }
      return numbers.count == array.count ? numbers : nil
    }
  }

  /// A finite number.
  public func number(_ key: String, default fallback: Double? = nil) throws -> Double {
    try value(key, fallback, "a number") { json in json.double.flatMap { $0.isFinite ? $0 : nil } }
  }

  /// A number within bounds, which are such that float32 neither overflows nor loses what is computed with it.
  public func number(_ key: String, default fallback: Double? = nil, in range: ClosedRange<Double>) throws -> Double {
    try value(key, fallback, "a number", in: range, \.double)
  }

  /// The small number that a normalisation adds to a variance.
  public func epsilon(_ key: String, default fallback: Double) throws -> Float {
    Float(try number(key, default: fallback, in: 1e-12...1))
  }

  /// What the latents of an autoencoder were multiplied by.
  public func scalingFactor(default fallback: Double) throws -> Float {
    Float(try number("scaling_factor", default: fallback, in: 1e-6...1e6))
  }

  /// The base of a rotary embedding's frequencies.
  public func ropeTheta(default fallback: Double) throws -> Double {
    try number("rope_theta", default: fallback, in: 1...1e12)
  }

  public func bool(_ key: String, default fallback: Bool? = nil) throws -> Bool {
    try value(key, fallback, "true or false", \.bool)
  }

  public func string(_ key: String, default fallback: String? = nil) throws -> String {
    try value(key, fallback, "a text", \.string)
  }

  /// Throws unless the value is the given one or missing: for options of which one choice alone is built.
  public func require(_ key: String, _ expected: JSONValue) throws {
    guard let value = json[key], !value.isNull, value != expected else { return }
    throw error(key, "is \(value.text().printable(limit: 60)), but only \(expected.text()) is supported")
  }

  public func error(_ key: String, _ reason: String) -> FileError {
    FileError(path: path, reason: "\"\(key)\" \(reason)")
  }

  private func value<Value: Comparable>(
    _ key: String, _ fallback: Value?, _ kind: String, in range: ClosedRange<Value>, _ convert: (JSONValue) -> Value?
  ) throws -> Value {
    let expected = "\(kind) in \(range.lowerBound)...\(range.upperBound)"
    let value = try value(key, fallback, expected) { json in convert(json).flatMap { range.contains($0) ? $0 : nil } }
    // Bounds that follow from other values of the file may leave the default out.
    guard range.contains(value) else {
      throw error(key, "is missing, and its default, \(value), is not \(expected)")
    }
    return value
  }

  private func value<Value>(
    _ key: String, _ fallback: Value?, _ expected: String, _ convert: (JSONValue) -> Value?
  ) throws -> Value {
    guard let json = json[key], !json.isNull else {
      guard let fallback else { throw error(key, "is missing; \(expected) is needed") }
      return fallback
    }
    guard let value = convert(json) else { throw error(key, "is not \(expected)") }
    return value
  }
}
