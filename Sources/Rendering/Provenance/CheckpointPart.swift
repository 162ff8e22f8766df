import Files
import StrictJSON
import Synchronization
import Tensors

/// A part of a checkpoint as its digest sees it: settings, tensors, and files such as vocabularies.
struct CheckpointPart {
  let name: String
  private let weights: TensorStore?
  /// Sorted, without the weights and their index; the settings of a single file are called as those of a folder.
  private let otherFiles: [(name: String, path: String)]

  private static let tensorsAtOnce = 64
  /// Larger files beside the weights are none that a model reads.
  private static let maximumFileBytes = 64 << 20
  /// What says where a part came from, not what it is.
  private static let ignoredSettings: Set<String> = [
    "_diffusers_version", "_name_or_path", "transformers_version", "torch_dtype", "dtype",
  ]

  /// A folder of diffusers; one without safetensors, such as a tokenizer's, has no tensors.
  init(folder: String, name: String) throws {
    self.name = name
    let names = try Folder.names(in: folder)
    weights = names.contains { $0.hasSuffix(".safetensors") } ? try TensorStore(folder: folder) : nil
    otherFiles = names.filter { file in
      !file.hasPrefix(".") && !file.contains(".safetensors") && Self.isRead(file)
        && Folder.isRegularFile("\(folder)/\(file)")
    }.map { ($0, "\(folder)/\($0)") }
  }

  /// A single file, with its settings beside it if there are any.
  init(file: String) throws {
    name = "file"
    weights = try TensorStore(file: file)
    let settings = file.hasSuffix(".safetensors") ? file.dropLast(".safetensors".count) + ".json" : ""
    otherFiles = Folder.isRegularFile(settings) ? [("config.json", settings)] : []
  }

  /// Whether a file beside the weights can make a difference; read-me files and pictures do not.
  private static func isRead(_ file: String) -> Bool {
    [".json", ".txt", ".model"].contains { file.hasSuffix($0) }
  }

  /// What its digests are remembered under, beside its files.
  var kind: String { "part 1" }

  func identities() throws -> [FileIdentity] {
    try ((weights?.files.map(\.path) ?? []) + otherFiles.map(\.path)).map { path throws(FileError) in
      try FileIdentity(of: Folder.resolved(path) ?? path)
    }
  }

  /// - Throws: what is wrong with the files; `CancellationError`.
  func digest() throws -> SHA256.Digest {
    var hash = SHA256()
    hash.update(Array("clusca part 1\n".utf8))
    for (file, path) in otherFiles {
      let bytes = try RegularFile(path: path).contents(maximumBytes: Self.maximumFileBytes)
      hash.update(Array("file \(file) \(SHA256.digest(of: Self.canonical(bytes)))\n".utf8))
    }
    for (tensor, digest) in try tensorDigests() {
      hash.update(Array("tensor \(tensor.name.utf8.count) \(tensor.name) \(tensor.dtype.rawValue) ".utf8))
      hash.update(Array("\(tensor.shape) \(digest)\n".utf8))
    }
    return hash.finalize()
  }

  /// By name; hashed on all threads, a tensor at a time on each.
  private func tensorDigests() throws -> [(StoredTensor, SHA256.Digest)] {
    guard let weights else { return [] }
    let tensors = try weights.names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map(weights.tensor)
    var result: [(StoredTensor, SHA256.Digest)] = []
    // A few at a time, so that hours of reading from a slow disk can be interrupted.
    for start in stride(from: 0, to: tensors.count, by: Self.tensorsAtOnce) {
      try Task.checkCancellation()
      let group = tensors[start..<min(start + Self.tensorsAtOnce, tensors.count)]
      let digests = Mutex<[Int: SHA256.Digest]>([:])
      ThreadPool.shared.forEach(group.count) { place in
        let tensor = group[start + place]
        let digest = tensor.withBytes { SHA256.digest(of: $0) }
        tensor.advise(.done)
        digests.withLock { $0[place] = digest }
      }
      let found = digests.withLock { $0 }
      result += group.enumerated().compactMap { place, tensor in found[place].map { (tensor, $0) } }
    }
    return result
  }

  /// JSON with sorted keys, without what makes no difference; anything else as it is.
  private static func canonical(_ bytes: [UInt8]) -> [UInt8] {
    let limits = JSONLimits(maximumBytes: maximumFileBytes, maximumDepth: 64, acceptsNonFiniteNumbers: true)
    guard let json = try? JSONValue(parsing: bytes, limits: limits), let object = json.object else { return bytes }
    var kept = JSONObject()
    for key in object.keys where !ignoredSettings.contains(key) { kept[key] = object[key] }
    return Array(JSONValue.object(kept).canonicalText.utf8)
  }
}

extension JSONValue {
  /// The text with the keys of all objects sorted by their bytes.
  var canonicalText: String { sorted.text() }

  private var sorted: JSONValue {
    switch self {
    case .array(let values): return .array(values.map(\.sorted))
    case .object(let object):
      var result = JSONObject()
      for key in object.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
        result[key] = object[key]?.sorted
      }
      return .object(result)
    default: return self
    }
  }
}
