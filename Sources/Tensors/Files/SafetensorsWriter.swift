import Files
import StrictJSON

/// Writes tensors to a safetensors file.
public enum SafetensorsWriter {
  /// Writes `tensors` to `path`, atomically: the file appears complete or not at all.
  ///
  /// Tensors with wider elements come first, otherwise the given order is kept, and the data begins at a multiple of
  /// eight bytes, so every tensor is aligned to its elements. The same tensors give the same bytes.
  ///
  /// - Throws: ``SafetensorsError`` for what a file cannot hold (a name twice, too many dimensions, a header beyond the
  ///   limit), ``FileError`` if writing fails.
  public static func write(_ tensors: [StoredTensor], metadata: [String: String] = [:], to path: String) throws {
    // Sorting by number too makes the sort stable.
    let ordered = tensors.enumerated()
      .sorted { (-$0.element.dtype.byteCount, $0.offset) < (-$1.element.dtype.byteCount, $1.offset) }
      .map(\.element)
    let header = try header(ordered, metadata: metadata, path: path)
    let file = try AtomicFile(path, ifExists: .overwrite)
    try file.write((0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) })
    try file.write(header)
    for tensor in ordered {
      try tensor.checkFile()
      let outcome = tensor.withBytes { bytes in
        Result { () throws(FileError) in try file.write(bytes) }
      }
      try outcome.get()
    }
    try file.commit()
  }

  /// The JSON, padded with spaces to a multiple of eight bytes.
  private static func header(
    _ tensors: [StoredTensor], metadata: [String: String], path: String
  ) throws(SafetensorsError) -> [UInt8] {
    var members = JSONObject()
    if !metadata.isEmpty {
      var object = JSONObject()
      for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { object[key] = .string(value) }
      members["__metadata__"] = .object(object)
    }
    var names: Set<String> = ["__metadata__"]
    var offset = 0
    for tensor in tensors {
      guard names.insert(tensor.name).inserted else {
        throw SafetensorsError(path: path, tensor: tensor.name, .unwritable("the name is taken"))
      }
      guard tensor.shape.count <= TensorShape.maximumRank else {
        throw SafetensorsError(path: path, tensor: tensor.name, .rankTooLarge(tensor.shape.count))
      }
      let (end, overflow) = offset.addingReportingOverflow(tensor.byteCount)
      guard !overflow else {
        throw SafetensorsError(path: path, tensor: tensor.name, .unwritable("all tensors together are too large"))
      }
      members[tensor.name] = [
        "dtype": .string(tensor.dtype.rawValue), "shape": .array(tensor.shape.map { .integer($0) }),
        "data_offsets": [.integer(offset), .integer(end)],
      ]
      offset = end
    }
    var header = Array(JSONValue.object(members).text().utf8)
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    guard header.count <= SafetensorsHeader.maximumByteCount else {
      throw SafetensorsError(
        path: path, .headerTooLong(byteCount: UInt64(header.count), limit: SafetensorsHeader.maximumByteCount))
    }
    return header
  }
}
