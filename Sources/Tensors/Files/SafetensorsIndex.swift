import Files
import StrictJSON

/// An index such as `model.safetensors.index.json`: which file of a sharded checkpoint holds which tensor.
struct SafetensorsIndex {
  let path: String
  /// The tensors in the order of the index.
  let entries: [(tensor: String, file: String)]
  /// The names of the files, each once, in the order in which the index mentions them.
  let files: [String]

  init(path: String) throws {
    let file = try RegularFile(path: path)
    let limits = JSONLimits(maximumBytes: 32 << 20, maximumDepth: 8)
    guard file.byteCount <= limits.maximumBytes else {
      throw SafetensorsError(path: path, .malformedIndex("it is larger than \(limits.maximumBytes) bytes"))
    }
    let document: JSONValue
    do {
      document = try JSONValue(parsing: file.bytes(0..<file.byteCount), limits: limits)
    } catch let error as JSONError {
      throw SafetensorsError(path: path, .malformedIndex(error.description.printable()))
    }
    guard let map = document["weight_map"]?.object else {
      throw SafetensorsError(path: path, .malformedIndex("it has no weight_map"))
    }
    var entries: [(tensor: String, file: String)] = []
    var files: [String] = []
    var seen: Set<String> = []
    for (tensor, value) in map {
      guard let name = value.string else {
        throw SafetensorsError(path: path, tensor: tensor, .malformedIndex("its file is not a string"))
      }
      // Only a plain name: an index must not lead out of its folder.
      guard Self.isPlainFileName(name) else {
        throw SafetensorsError(
          path: path, tensor: tensor, .malformedIndex("\"\(name.printable())\" is not a plain *.safetensors name"))
      }
      if seen.insert(name).inserted { files.append(name) }
      entries.append((tensor, name))
    }
    guard !entries.isEmpty else { throw SafetensorsError(path: path, .malformedIndex("its weight_map is empty")) }
    self.path = path
    self.entries = entries
    self.files = files
  }

  static func isPlainFileName(_ name: String) -> Bool {
    name.hasSuffix(".safetensors") && !name.hasPrefix(".") && !name.utf8.contains(UInt8(ascii: "/"))
      && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } && name.utf8.count <= 255
  }
}
