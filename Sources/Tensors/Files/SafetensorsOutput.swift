import Files
import StrictJSON

/// What a safetensors file says of a tensor.
public struct TensorOutline: Sendable, Hashable {
  public let name: String
  public let dtype: DType
  public let shape: [Int]

  public init(name: String, dtype: DType, shape: [Int]) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
  }

  /// - Throws: ``TensorError`` for a shape that no tensor can have.
  var byteCount: Int {
    get throws(TensorError) {
      guard let count = TensorShape.byteCount(shape, dtype) else {
        throw TensorError(tensor: name, reason: "no tensor can have the shape \(shape)")
      }
      return count
    }
  }
}

/// A safetensors file whose header is known and whose tensors come one after the other, so that they need not be in memory
/// at the same time. It appears complete or not at all.
public struct SafetensorsOutput: ~Copyable {
  private let file: AtomicFile
  private let path: String
  private let outlines: [TensorOutline]
  private var done = 0

  /// Begins the file.
  ///
  /// - Parameters:
  ///   - outlines: the tensors, in the order of the data.
  ///   - alignment: the data begins at a multiple of it.
  /// - Throws: ``SafetensorsError`` for what a file cannot hold, `FileError` if writing fails.
  public init(
    _ outlines: [TensorOutline], metadata: [String: String] = [:], alignment: Int = 8, to path: String,
    createFolders: Bool = false
  ) throws {
    let header = try Self.header(outlines, metadata: metadata, alignment: alignment, path: path)
    let file = try AtomicFile(path, ifExists: .overwrite, createFolders: createFolders)
    try file.write((0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) })
    try file.write(header)
    self.file = file
    self.path = path
    self.outlines = outlines
  }

  /// Writes the next tensor.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
    precondition(done < outlines.count, "there are no more tensors")
    let outline = outlines[done]
    guard try bytes.count == outline.byteCount else {
      throw SafetensorsError(
        path: path, tensor: outline.name, .unwritable("it has \(bytes.count) bytes, which are not those of its shape"))
    }
    try file.write(bytes)
    done += 1
  }

  /// Puts the file in its place, behind the last tensor.
  public consuming func commit() throws {
    precondition(done == outlines.count, "\(outlines.count - done) tensors are missing")
    try file.commit()
  }

  /// The JSON, padded with spaces so that what follows is aligned.
  private static func header(
    _ tensors: [TensorOutline], metadata: [String: String], alignment: Int, path: String
  ) throws -> [UInt8] {
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
      let (end, overflow) = offset.addingReportingOverflow(try tensor.byteCount)
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
    let rest = (8 + header.count) % alignment
    header += [UInt8](repeating: UInt8(ascii: " "), count: rest == 0 ? 0 : alignment - rest)
    guard header.count <= SafetensorsHeader.maximumByteCount else {
      throw SafetensorsError(
        path: path, .headerTooLong(byteCount: UInt64(header.count), limit: SafetensorsHeader.maximumByteCount))
    }
    return header
  }
}
