import Files

/// Which files of a folder hold the weights of one part of a model.
///
/// The first that applies, for each base name in turn (`diffusion_pytorch_model` in diffusers' folders, `model` in those
/// of transformers):
/// 1. `BASE.safetensors`,
/// 2. `BASE.safetensors.index.json` and its shards,
/// then both again for the variants `fp16` and `bf16`, which diffusers writes as `BASE.fp16.safetensors` and
/// `BASE.safetensors.index.fp16.json`, and last any other name, if just one index or one file has the right ending.
enum CheckpointFiles {
  case single(String)
  case index(String)

  static let variants = ["fp16", "bf16"]

  init(folder: String, baseNames: [String]) throws(FileError) {
    let names = try Folder.names(in: folder)
    for variant in [nil] + Self.variants {
      let middle = variant.map { ".\($0)" } ?? ""
      for base in baseNames {
        if names.contains("\(base)\(middle).safetensors") {
          self = .single("\(folder)/\(base)\(middle).safetensors")
          return
        }
        if names.contains("\(base).safetensors.index\(middle).json") {
          self = .index("\(folder)/\(base).safetensors.index\(middle).json")
          return
        }
      }
    }
    let indices = names.filter { $0.contains(".safetensors.index.") && $0.hasSuffix(".json") && !$0.hasPrefix(".") }
    if indices.count == 1 {
      self = .index("\(folder)/\(indices[0])")
      return
    }
    let files = names.filter(SafetensorsIndex.isPlainFileName)
    let whole = files.filter { !Self.isShardName($0) }
    if indices.isEmpty, whole.count == 1 {
      self = .single("\(folder)/\(whole[0])")
      return
    }
    throw Self.failure(folder: folder, names: names, indices: indices, files: files, baseNames: baseNames)
  }

  /// Whether a name ends like `-00001-of-00003.safetensors`.
  static func isShardName(_ name: String) -> Bool {
    let parts = name.dropLast(".safetensors".count).split(separator: "-", omittingEmptySubsequences: false)
    func isNumber(_ part: Substring) -> Bool { !part.isEmpty && part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } }
    guard parts.count >= 4 else { return false }
    return isNumber(parts[parts.count - 3]) && parts[parts.count - 2] == "of" && isNumber(parts[parts.count - 1])
  }

  private static func failure(
    folder: String, names: [String], indices: [String], files: [String], baseNames: [String]
  ) -> FileError {
    func list(_ names: [String]) -> String {
      let shown = names.prefix(5).map { $0.printable(limit: 80) }.joined(separator: ", ")
      return names.count > 5 ? "\(shown) and \(names.count - 5) more" : shown
    }
    if indices.count > 1 || (indices.isEmpty && files.contains { !isShardName($0) }) {
      let candidates = indices.isEmpty ? files : indices
      return FileError(path: folder, reason: "holds several checkpoints, name one of them: \(list(candidates))")
    }
    if !files.isEmpty {
      return FileError(
        path: folder, reason: "holds shards (\(list(files))) but not their index, *.safetensors.index.json")
    }
    let others = names.filter { name in
      [".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".h5", ".gguf", ".onnx"].contains { name.hasSuffix($0) }
    }
    if !others.isEmpty {
      return FileError(
        path: folder,
        reason: "holds weights only as \(list(others)), but only safetensors are read; clusca convert makes them of "
          + "files of torch, save_pretrained(…, safe_serialization=True) of diffusers and transformers of whole models")
    }
    let expected = baseNames.isEmpty ? ["*"] : baseNames
    return FileError(
      path: folder,
      reason: "holds no weights; expected \(expected.map { "\($0).safetensors" }.joined(separator: " or "))")
  }
}
