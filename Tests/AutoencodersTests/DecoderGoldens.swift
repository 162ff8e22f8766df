import Foundation
import StrictJSON
import Synchronization
import Tensors
import Testing

@testable import Autoencoders

/// A case that diffusers computed: latents in, modules and picture out, each with its tolerance.
struct DecoderGoldens {
  static let folder =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures/reference"

  let file: SafetensorsFile
  /// The folder of the autoencoder.
  let vae: String
  private let tolerances: [String: Double]

  init(_ name: String) throws {
    // Python writes infinities, which JSON does not have.
    let text = try String(contentsOfFile: "\(Self.folder)/out/manifest.json", encoding: .utf8)
    let manifest = try JSONValue(parsing: Array(text.replacing("-Infinity", with: "null").utf8))
    let cases = try #require(manifest["cases"]?.array)
    let entry = try #require(cases.first { $0["name"]?.string == name })
    file = try SafetensorsFile(path: "\(Self.folder)/out/\(name).safetensors")
    let checkpoint = "\(Self.folder)/\(try #require(entry["checkpoint"]?.string))"
    vae = checkpoint.hasSuffix("/vae") ? checkpoint : checkpoint + "/vae"
    let groups = try #require(entry["tolerance"]?["suggested_tol_by_group"]?.object)
    tolerances = Dictionary(uniqueKeysWithValues: groups.compactMap { key, value in value.double.map { (key, $0) } })
  }

  func tensor(_ name: String) throws -> Tensor { try Tensor(#require(file[name])) }

  func decoder() throws -> AutoencoderKLDecoder { try .reading(vae) }

  /// Compares a tensor with the recorded one of that name; returns the error as a part of its tolerance.
  @discardableResult
  func compare(_ tensor: Tensor?, with name: String) throws -> Double {
    let tensor = try #require(tensor, "no probe saw \(name)")
    let expected = try self.tensor(name)
    try #require(tensor.shape == expected.shape, "\(name) has the shape \(tensor.shape)")
    let squares = expected.elements.reduce(0) { $0 + Double($1) * Double($1) }
    let rms = (squares / Double(expected.count)).squareRoot()
    let error = zip(tensor.elements, expected.elements).reduce(0) { max($0, Double(abs($1.0 - $1.1))) } / rms
    let allowed = try #require(tolerances[name.hasPrefix("pixels") ? "pixels" : "vae"])
    #expect(error <= allowed, "\(name): \(error) instead of \(allowed)")
    return error / allowed
  }
}

extension AutoencoderKLDecoder {
  /// The decoder in a folder of diffusers' layout.
  static func reading(_ folder: String) throws -> AutoencoderKLDecoder {
    try AutoencoderKLDecoder(
      AutoencoderKLConfiguration(PartConfiguration(path: "\(folder)/config.json")),
      Parameters(TensorStore(folder: folder), precision: .float32))
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

  init() {}

  init(_ store: TensorStore, renaming rename: (String) -> String? = { $0 }) {
    for name in store.names {
      if let newName = rename(name) { tensors[newName] = store[name] }
    }
  }
}
