import Foundation
import StrictJSON
import Synchronization
import Tensors
import Testing

/// A case that transformers computed: ids in, tensors out, each with its tolerance.
struct EncoderGoldens {
  static let folder =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures/reference"

  let file: SafetensorsFile
  /// The folder of the checkpoint.
  let checkpoint: String
  private let tolerances: [String: Double]
  private let tolerance: Double

  init(_ name: String) throws {
    // Python writes infinities, which JSON does not have.
    let text = try String(contentsOfFile: "\(Self.folder)/out/manifest.json", encoding: .utf8)
    let manifest = try JSONValue(parsing: Array(text.replacing("-Infinity", with: "null").utf8))
    let cases = try #require(manifest["cases"]?.array)
    let entry = try #require(cases.first { $0["name"]?.string == name })
    file = try SafetensorsFile(path: "\(Self.folder)/out/\(name).safetensors")
    checkpoint = "\(Self.folder)/\(try #require(entry["checkpoint"]?.string))"
    let groups = try #require(entry["tolerance"]?["suggested_tol_by_group"]?.object)
    tolerances = Dictionary(uniqueKeysWithValues: groups.compactMap { key, value in value.double.map { (key, $0) } })
    tolerance = try #require(entry["tolerance"]?["suggested_tol"]?.double)
  }

  /// The prompts of the call of that number, or nil if there was none.
  func ids(_ encoder: String, call: Int) throws -> [[Int32]]? {
    guard let stored = file["\(encoder).\(call).input_ids"] else { return nil }
    let ids = try stored.int64Values().map { Int32($0) }
    return (0..<stored.shape[0]).map { Array(ids[$0 * stored.shape[1]..<($0 + 1) * stored.shape[1]]) }
  }

  /// Compares a prompt's tensors with its rows of the recorded ones; returns how many there were.
  func compare(
    _ tensors: [String: Tensor], with prefix: String, prompt: Int, of prompts: Int
  ) throws -> Int {
    var count = 0
    let integers = ["input_ids", "attention_mask"].map { prefix + $0 }
    for name in file.names where name.hasPrefix(prefix) && !integers.contains(name) {
      let tensor = try #require(tensors[String(name.dropFirst(prefix.count))], "no probe saw \(name)")
      let whole = try #require(file[name]).float32Values()
      let size = whole.count / prompts
      let expected = whole[prompt * size..<(prompt + 1) * size]
      try #require(tensor.count == expected.count, "\(name) has the shape \(tensor.shape)")
      let rms = (expected.reduce(0) { $0 + Double($1) * Double($1) } / Double(size)).squareRoot()
      let error = zip(tensor.elements, expected).reduce(0) { max($0, Double(abs($1.0 - $1.1))) } / rms
      let allowed = tolerances[name.contains(".block.") ? "blocks" : "text"] ?? tolerance
      #expect(error <= allowed, "\(name): \(error) instead of \(allowed)")
      count += 1
    }
    return count
  }
}

/// Keeps what a probe sees.
final class ProbedTensors: Sendable {
  private let tensors = Mutex<[String: Tensor]>([:])

  var probe: Probe { Probe { name, tensor in self.tensors.withLock { $0[name] = tensor } } }
  var all: [String: Tensor] { tensors.withLock { $0 } }
}

/// Parameters in memory, under names of the test's choice.
struct ParametersInMemory: ParameterSource {
  var path = "memory"
  var tensors: [String: StoredTensor] = [:]

  func parameter(_ name: String) -> StoredTensor? { tensors[name] }

  init(_ store: TensorStore, renaming rename: (String) -> String? = { $0 }) {
    for name in store.names {
      if let newName = rename(name) { tensors[newName] = store[name] }
    }
  }
}
