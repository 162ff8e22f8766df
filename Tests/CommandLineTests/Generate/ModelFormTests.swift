import Foundation
import StrictJSON
import Tensors
import Testing

@testable import clusca

/// The forms in which a checkpoint may come.
struct ModelFormTests {
  @Test func aModelOfTheHuggingFaceCacheIsFoundByItsName() throws {
    let folder = try TemporaryFolder()
    let commit = try Self.cache(in: "\(folder.path)/home/hub", name: "org/tiny")
    let expected = try TinyModels.picture(TinyModels.schnell)
    let arguments = TinyModels.small + ["-p", "a cat", "--no-metadata", "--force", "-o", "\(folder.path)/x.png"]
    for (name, environment) in [
      ("org/tiny", ["HF_HUB_CACHE": "\(folder.path)/home/hub"]), ("org/tiny", ["HF_HOME": "\(folder.path)/home"]),
      ("org/tiny@main", ["HF_HUB_CACHE": "\(folder.path)/home/hub"]),
      ("org/tiny@\(commit)", ["HF_HUB_CACHE": "\(folder.path)/home/hub"]),
    ] {
      // An empty variable counts as one that is not set.
      let environment = ["HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": ""].merging(environment) { $1 }
      let outcome = try Program.run(["generate", "-m", name] + arguments, environment: environment)
      #expect(outcome.status == 0, "\(name): \(outcome.errors)")
      #expect(try Data(contentsOf: URL(filePath: "\(folder.path)/x.png")) == expected)
    }
    for name in ["org/other", "org/tiny@other", "org/tiny@\(String(repeating: "b", count: 40))"] {
      let outcome = try Program.run(
        ["generate", "-m", name] + arguments, environment: ["HF_HUB_CACHE": "\(folder.path)/home/hub"])
      #expect(outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
      #expect(outcome.errors.contains("hf download"), "\(outcome.errors)")
    }
  }

  /// A cache as huggingface_hub makes it, with every file a link to a blob; returns the commit.
  private static func cache(in hub: String, name: String) throws -> String {
    let files = FileManager.default
    let model = "\(hub)/models--\(name.replacing("/", with: "--"))"
    let commit = String(repeating: "0a", count: 20)
    let snapshot = "\(model)/snapshots/\(commit)"
    for folder in ["\(model)/blobs", "\(model)/refs", snapshot] {
      try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    try Data(commit.utf8).write(to: URL(filePath: "\(model)/refs/main"))
    for (number, path) in try files.subpathsOfDirectory(atPath: TinyModels.schnell).enumerated() {
      var isFolder: ObjCBool = false
      _ = files.fileExists(atPath: "\(TinyModels.schnell)/\(path)", isDirectory: &isFolder)
      if isFolder.boolValue {
        try files.createDirectory(atPath: "\(snapshot)/\(path)", withIntermediateDirectories: true)
      } else {
        try files.createDirectory(
          at: URL(filePath: "\(snapshot)/\(path)").deletingLastPathComponent(), withIntermediateDirectories: true)
        try files.copyItem(atPath: "\(TinyModels.schnell)/\(path)", toPath: "\(model)/blobs/\(number)")
        let up = String(repeating: "../", count: path.split(separator: "/").count + 1)
        try files.createSymbolicLink(atPath: "\(snapshot)/\(path)", withDestinationPath: "\(up)blobs/\(number)")
      }
    }
    return commit
  }

  @Test(arguments: [DType.float16, .bfloat16, .float8E4M3, .float64])
  func narrowWeightsGiveThePictureOfTheirValues(dtype: DType) throws {
    let folder = try TemporaryFolder()
    let narrow = ModelFolder(path: try TinyModels.copy(of: TinyModels.schnell, in: folder, at: "narrow"))
    let wide = ModelFolder(path: try TinyModels.copy(of: TinyModels.schnell, in: folder, at: "wide"))
    for part in ["transformer", "vae", "text_encoder", "text_encoder_2"] {
      try narrow.rewrite(part) { try Self.converted($0, to: dtype) }
      try wide.rewrite(part) { tensor in
        let converted = try Self.converted(tensor, to: dtype)
        guard converted.dtype.isFloatingPoint else { return converted }
        return try StoredTensor(name: tensor.name, shape: tensor.shape, values: converted.float32Values())
      }
    }
    #expect(try TinyModels.picture(narrow.path) == TinyModels.picture(wide.path))
    #expect(
      try TinyModels.picture(narrow.path, "--dtype", "bf16") == TinyModels.picture(wide.path, "--dtype", "bf16"))
  }

  private static func converted(_ tensor: StoredTensor, to dtype: DType) throws -> StoredTensor {
    guard tensor.dtype.isFloatingPoint else { return tensor }
    let values = try tensor.float32Values()
    let bytes: [UInt8] =
      switch dtype {
      case .float16: values.flatMap { littleEndian($0.float16Bits) }
      case .bfloat16: values.flatMap { littleEndian($0.bfloat16Bits) }
      case .float64: values.flatMap { littleEndian(Double($0).bitPattern) }
      default: values.map(float8)
      }
    return try StoredTensor(name: tensor.name, dtype: dtype, shape: tensor.shape, bytes: bytes)
  }

  private static func littleEndian(_ bits: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: bits.littleEndian) { [UInt8]($0) }
  }

  /// The positive numbers of FP8 E4M3, in order.
  private static let float8Values = (UInt8(0)..<0x7F).map { Float(float8E4M3Bits: $0) }

  private static func float8(_ value: Float) -> UInt8 {
    var bits = 0
    while bits + 1 < float8Values.count,
      abs(float8Values[bits + 1] - value.magnitude) < abs(float8Values[bits] - value.magnitude)
    {
      bits += 1
    }
    return UInt8(bits) | (value < 0 ? 0x80 : 0)
  }

  @Test func anAutoencoderMayHaveTheNamesOfOldVersions() throws {
    let folder = try TemporaryFolder()
    let model = ModelFolder(path: try TinyModels.copy(of: TinyModels.schnell, in: folder))
    try model.rewrite("vae") { tensor in
      var name = tensor.name
      for (new, old) in [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")] {
        name = name.replacing("attentions.0.\(new).", with: "attentions.0.\(old).")
      }
      return try tensor.renamed(name)
    }
    #expect(try TinyModels.picture(model.path) == TinyModels.picture(TinyModels.schnell))
  }

  @Test func aCheckpointMayHaveASettingsFile() throws {
    let folder = try TemporaryFolder()
    let model = ModelFolder(path: try TinyModels.copy(of: TinyModels.schnell, in: folder))
    let settings = #"{"width":48,"height":32,"num_inference_steps":1,"max_sequence_length":9,"true_cfg_scale":2.0}"#
    try model.write("settings.json", settings.utf8)
    let path = "\(folder.path)/x.png"
    #expect(try Program.run("generate", "-m", model.path, "-p", "a", "-o", path).status == 0)
    let made = try TinyModels.settings(path)
    #expect(made["width"] == 48 && made["height"] == 32 && made["steps"] == 1 && made["max_sequence_length"] == 9)
    #expect(made["cfg_scale"]?.double == 2)
  }

  @Test func inspectShowsRealCheckpoints() throws {
    let json = try JSONValue(parsing: Program.run("inspect", TinyModels.dev, "--json").output)
    #expect(json["pipeline"]?.string == "FluxPipeline" && json["parts"]?.array?.count == 7)
    #expect(json["problems"]?.array?.isEmpty == true)
    let folder = try TemporaryFolder()
    let files = try OriginalFiles(of: TinyModels.dev, in: folder.path)
    let file = try Program.run("inspect", "\(files.folder)/flux1-x.safetensors", "--tensors")
    #expect(file.status == 0 && file.output.contains("double_blocks.0.img_attn.qkv.weight"))
    let path = "\(folder.path)/x.png"
    #expect(try TinyModels.generate(TinyModels.dev, "-p", "a lighthouse", "-o", path).status == 0)
    let picture = try Program.run("inspect", path)
    #expect(picture.status == 0 && picture.output.contains("a lighthouse"))
    #expect(picture.output.contains("\"max_sequence_length\": 16"))
  }
}
