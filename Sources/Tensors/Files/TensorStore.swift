import Files

/// The tensors of one part of a checkpoint, from one file or from several shards.
public struct TensorStore: Sendable {
  /// What was opened: the single file or the index.
  public let path: String
  public let files: [SafetensorsFile]
  private let fileOfTensor: [String: Int]

  /// The base names of diffusers and of transformers.
  public static let standardBaseNames = ["diffusion_pytorch_model", "model"]

  /// Opens the weights in `folder`, preferring files with one of `baseNames`, then fp16 and bf16 variants of these, then
  /// the only safetensors file or index whatever its name.
  ///
  /// - Throws: ``FileError`` or ``SafetensorsError``, each one sentence for the user.
  public init(folder: String, baseNames: [String] = standardBaseNames) throws {
    switch try CheckpointFiles(folder: folder, baseNames: baseNames) {
    case .single(let path): try self.init(file: path)
    case .index(let path): try self.init(index: path)
    }
  }

  /// Opens a single file.
  public init(file path: String) throws {
    try self.init(path: path, files: [SafetensorsFile(path: path)])
  }

  /// Opens the shards of an index, which stand in its folder. Every tensor of the index must be in the file that the
  /// index gives for it. Tensors that the index forgets are part of the store too.
  public init(index path: String) throws {
    let index = try SafetensorsIndex(path: path)
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    for name in index.files where !Folder.isRegularFile(folder + name) {
      throw SafetensorsError(path: folder + name, .missingShard)
    }
    let files = try index.files.map { try SafetensorsFile(path: folder + $0) }
    let fileNamed = Dictionary(uniqueKeysWithValues: zip(index.files, files))
    for (tensor, file) in index.entries where fileNamed[file]?[tensor] == nil {
      throw SafetensorsError(path: folder + file, tensor: tensor, .missingFromShard)
    }
    try self.init(path: path, files: files)
  }

  private init(path: String, files: [SafetensorsFile]) throws(SafetensorsError) {
    var fileOfTensor: [String: Int] = [:]
    for (number, file) in files.enumerated() {
      for name in file.names {
        if let first = fileOfTensor.updateValue(number, forKey: name) {
          throw SafetensorsError(path: file.path, tensor: name, .inTwoShards(first: files[first].path))
        }
      }
    }
    self.path = path
    self.files = files
    self.fileOfTensor = fileOfTensor
  }

  /// All names: file by file, in the order of the data.
  public var names: [String] { files.flatMap(\.names) }

  /// The bytes of all tensors together.
  public var byteCount: Int { files.reduce(0) { $0 + $1.dataByteCount } }

  public func contains(_ name: String) -> Bool { fileOfTensor[name] != nil }

  /// The tensor called `name`, or nil.
  public subscript(name: String) -> StoredTensor? { fileOfTensor[name].flatMap { files[$0][name] } }

  /// The tensor called `name`; throws a ``SafetensorsError`` if there is none.
  public func tensor(_ name: String) throws(SafetensorsError) -> StoredTensor {
    guard let tensor = self[name] else { throw SafetensorsError(path: path, tensor: name, .missing) }
    return tensor
  }
}
