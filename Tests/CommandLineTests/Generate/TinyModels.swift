import Foundation
import Media
import StrictJSON
import Tensors

@testable import clusca

/// The type of this name in the library of tests is another.
typealias Status = ExitStatus

/// The recorded checkpoints of a few thousand parameters, and copies of them to change.
enum TinyModels {
  static let reference = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/reference").path(percentEncoded: false)
  static let dev = "\(reference)/checkpoints/flux-dev-tiny"
  static let schnell = "\(reference)/checkpoints/flux-schnell-tiny"
  static let dit = "\(reference)/checkpoints/dit-tiny-mild"
  static let hunyuan = "\(reference)/checkpoints/hunyuan-tiny"

  /// Two steps of 32 x 32 pixels.
  static let small = ["-W", "32", "-H", "32", "--steps", "2", "--max-sequence-length", "16"]

  /// `clusca generate` of a small picture; `arguments` come last.
  static func generate(
    _ model: String = dev, _ arguments: String..., input: String? = nil, environment: [String: String] = [:],
    whileRunning body: (Process) throws -> Void = { _ in }
  ) throws -> Program.Outcome {
    try Program.run(
      ["generate", "-m", model] + small + arguments, input: input, environment: environment, whileRunning: body)
  }

  /// The bytes of a picture without settings, for comparisons.
  static func picture(_ model: String = dev, _ arguments: String...) throws -> Data {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try Program.run(
      ["generate", "-m", model] + small + ["-p", "a cat", "--no-metadata", "-o", path] + arguments)
    guard outcome.status == 0 else { throw CommandFailure(.failure, outcome.errors) }
    return try Data(contentsOf: URL(filePath: path))
  }

  /// A copy that may be changed; its path.
  static func copy(of model: String = dev, in folder: TemporaryFolder, at name: String = "model") throws -> String {
    let path = "\(folder.path)/\(name)"
    try FileManager.default.copyItem(atPath: model, toPath: path)
    return path
  }

  /// What a picture says under `clusca`.
  static func settings(_ path: String) throws -> JSONObject {
    try PictureMetadata(png: [UInt8](Data(contentsOf: URL(filePath: path)))).clusca?.object ?? [:]
  }
}

/// Changes to a copied checkpoint.
struct ModelFolder {
  let path: String

  /// Sets values of a JSON file; nil removes one.
  func set(_ file: String, _ values: [(String, JSONValue?)]) throws {
    let url = URL(filePath: "\(path)/\(file)")
    guard var object = try JSONValue(parsing: [UInt8](Data(contentsOf: url))).object else { return }
    for (key, value) in values { object[key] = value }
    try Data(JSONValue.object(object).text().utf8).write(to: url)
  }

  func write(_ file: String, _ bytes: some Sequence<UInt8>) throws {
    try Data(bytes).write(to: URL(filePath: "\(path)/\(file)"))
  }

  func read(_ file: String) throws -> [UInt8] { try [UInt8](Data(contentsOf: URL(filePath: "\(path)/\(file)"))) }

  func remove(_ file: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(file)") }

  /// Writes the weights of a part anew, in one file, each tensor as `change` has it; nil leaves one out.
  func rewrite(_ part: String, _ change: (StoredTensor) throws -> StoredTensor?) throws {
    let folder = "\(path)/\(part)"
    let store = try TensorStore(folder: folder)
    let tensors = try store.names.compactMap { try change(store.tensor($0)) }
    let name = part.hasPrefix("text") ? "model" : "diffusion_pytorch_model"
    try SafetensorsWriter.write(tensors, to: "\(folder)/new")
    for file in try FileManager.default.contentsOfDirectory(atPath: folder) where file.contains(".safetensors") {
      try FileManager.default.removeItem(atPath: "\(folder)/\(file)")
    }
    try FileManager.default.moveItem(atPath: "\(folder)/new", toPath: "\(folder)/\(name).safetensors")
  }
}
