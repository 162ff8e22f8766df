/// Writes tensors to a safetensors file.
public enum SafetensorsWriter {
  /// Writes `tensors` to `path`, atomically: the file appears complete or not at all.
  ///
  /// Tensors with wider elements come first, otherwise the given order is kept, and the data begins at a multiple of
  /// eight bytes, so every tensor is aligned to its elements. The same tensors give the same bytes.
  ///
  /// - Throws: ``SafetensorsError`` for what a file cannot hold (a name twice, too many dimensions, a header beyond the
  ///   limit), `FileError` if writing fails.
  public static func write(_ tensors: [StoredTensor], metadata: [String: String] = [:], to path: String) throws {
    // Sorting by number too makes the sort stable.
    let ordered = tensors.enumerated()
      .sorted { (-$0.element.dtype.byteCount, $0.offset) < (-$1.element.dtype.byteCount, $1.offset) }
      .map(\.element)
    var output = try SafetensorsOutput(
      ordered.map { TensorOutline(name: $0.name, dtype: $0.dtype, shape: $0.shape) }, metadata: metadata, to: path)
    for tensor in ordered {
      try tensor.checkFile()
      try tensor.withBytes { try output.append($0) }
    }
    try output.commit()
  }
}
