import Files

/// A file of packed matrices, which are used where they are mapped.
///
/// It is a safetensors file: the matrices in the order in which a model asks for them, so that those of a block lie
/// together, and behind them the SHA-256 of all.
public struct PackedFile: PackedMatrices {
  private let file: SafetensorsFile

  public var path: String { file.path }
  /// The bytes of all matrices together.
  public var byteCount: Int { file.dataByteCount }

  /// Opens a file and checks what it says about itself; its numbers are not read.
  ///
  /// - Throws: `FileError`, `SafetensorsError`: one sentence.
  public init(path: String, form: PackedForm) throws {
    file = try SafetensorsFile(path: path)
    guard file.metadata == form.metadata, file.names.last == Self.digestOutline.name else {
      throw FileError(path: path, reason: "holds no packed weights for this model, precision and processor")
    }
  }

  public func matrix(_ request: MatrixRequest) throws -> WeightMatrix? {
    // A stage asks for what a whole model does not, such as the embedder of a block in the middle.
    guard file[request.name] != nil else { return nil }
    let tensors = try request.outlines.map { outline in
      guard let stored = file[outline.name], stored.dtype == outline.dtype, stored.shape == outline.shape else {
        throw FileError(path: path, reason: "its \"\(outline.name)\" is not \(outline.dtype.rawValue) \(outline.shape)")
      }
      return stored
    }
    let (outputs, inputs) = (request.outputs, request.inputs)
    let form: WeightMatrix.Form? =
      switch request.precision {
      case .float32: nil
      case .bfloat16:
        PackedBFloat16(packed: tensors[0], outputs: outputs, inputs: inputs).map { .bfloat16($0) }
      case .int8:
        try PackedInt8(packed: tensors[0], scales: tensors[1], sums: tensors[2], outputs: outputs, inputs: inputs)
          .map { .int8($0) }
      }
    return form.map { WeightMatrix(packed: $0, outputs: outputs, inputs: inputs) }
  }

  // MARK: - Content

  static let digestOutline = TensorOutline(name: "sha256", dtype: .uint8, shape: [32])

  /// Of names, types, shapes and bytes, in the order of the file.
  struct ContentHash {
    private var hash = SHA256()

    mutating func add(_ outline: TensorOutline, _ bytes: UnsafeRawBufferPointer) {
      hash.update(Array("\(outline.name) \(outline.dtype.rawValue) \(outline.shape)\n".utf8))
      hash.update(bytes)
    }

    consuming func finalize() -> [UInt8] { hash.finalize().bytes }
  }

  /// Reads all and compares with the digest.
  ///
  /// - Parameter onProgress: is told the bytes that have been read; an error ends the reading.
  /// - Throws: `FileError` if a bit has changed since the file was written.
  public func verify(onProgress: (Int) throws -> Void = { _ in }) throws {
    var hash = ContentHash()
    var bytesRead = 0
    for name in file.names.dropLast() {
      try onProgress(bytesRead)
      guard let stored = file[name] else { continue }
      stored.withBytes { hash.add(TensorOutline(name: name, dtype: stored.dtype, shape: stored.shape), $0) }
      stored.advise(.done)
      bytesRead += stored.byteCount
    }
    guard let recorded = file[Self.digestOutline.name]?.withBytes({ [UInt8]($0) }), recorded == hash.finalize() else {
      throw FileError(path: path, reason: "is damaged: its numbers are not those that were written")
    }
  }
}
