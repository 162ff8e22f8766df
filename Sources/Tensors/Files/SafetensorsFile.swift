import Files

/// One safetensors file, checked and mapped into memory.
public struct SafetensorsFile: Sendable {
  public let path: String
  /// The `__metadata__` of the header; empty if there is none.
  public let metadata: [String: String]
  /// The names in the order of the data.
  public let names: [String]
  /// The bytes of all tensors together.
  public let dataByteCount: Int
  private let tensors: [String: StoredTensor]

  /// Opens the file and checks its header in full before anything of its data is mapped.
  ///
  /// - Throws: ``FileError`` if the file cannot be read, ``SafetensorsError`` if it breaks a rule of the format.
  public init(path: String) throws {
    let file = try RegularFile(path: path)
    guard file.byteCount >= 8 else { throw SafetensorsError(path: path, .tooShort(byteCount: file.byteCount)) }
    let length = try file.bytes(0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(SafetensorsHeader.maximumByteCount) else {
      throw SafetensorsError(path: path, .headerTooLong(byteCount: length, limit: SafetensorsHeader.maximumByteCount))
    }
    let dataOffset = 8 + Int(length)
    guard dataOffset <= file.byteCount else {
      throw SafetensorsError(path: path, .truncated(missingBytes: dataOffset - file.byteCount))
    }
    let header = try SafetensorsHeader(
      json: file.bytes(8..<dataOffset), dataByteCount: file.byteCount - dataOffset, path: path)
    let mapped = try file.map()
    var tensors: [String: StoredTensor] = [:]
    for entry in header.entries {
      tensors[entry.name] = try StoredTensor(
        name: entry.name, dtype: entry.dtype, shape: entry.shape, file: mapped,
        offset: dataOffset + entry.range.lowerBound)
    }
    self.path = path
    self.metadata = header.metadata
    self.names = header.entries.map(\.name)
    self.dataByteCount = file.byteCount - dataOffset
    self.tensors = tensors
  }

  public subscript(name: String) -> StoredTensor? { tensors[name] }
}
