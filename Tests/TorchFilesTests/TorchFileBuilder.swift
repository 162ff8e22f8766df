import Foundation

/// Writes zip files and pickles by hand, also such as torch would not write.
enum TorchFileBuilder {
  /// A zip file with these entries, as they are.
  static func zip(_ entries: [(name: String, bytes: [UInt8])], method: UInt16 = 0) -> [UInt8] {
    var (file, directory): ([UInt8], [UInt8]) = ([], [])
    for (name, bytes) in entries {
      let sizes = little(UInt32(bytes.count)) + little(UInt32(bytes.count))
      let common = little(UInt16(0)) + little(method) + [UInt8](repeating: 0, count: 8) + sizes
      let length = little(UInt16(name.utf8.count))
      directory += [0x50, 0x4B, 1, 2, 20, 0, 20, 0] + common + length + [UInt8](repeating: 0, count: 12)
      directory += little(UInt32(file.count)) + Array(name.utf8)
      file += [0x50, 0x4B, 3, 4, 20, 0] + common + length + [0, 0] + Array(name.utf8) + bytes
    }
    let count = little(UInt16(entries.count))
    let end = [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + count + count + little(UInt32(directory.count))
    return file + directory + end + little(UInt32(file.count)) + [0, 0]
  }

  /// A file with this pickle and one storage of 6 float32 numbers, "0".
  static func file(_ pickle: [UInt8]) -> [UInt8] {
    zip([("x/data.pkl", pickle), ("x/byteorder", Array("little".utf8)), ("x/data/0", [UInt8](repeating: 1, count: 24))])
  }

  static func little(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  // MARK: Instructions

  static func text(_ text: String) -> [UInt8] {
    [UInt8(ascii: "X")] + little(UInt32(text.utf8.count)) + Array(text.utf8)
  }
  static func long(_ number: Int) -> [UInt8] { [0x8A, 8] + little(number) }
  static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }

  static func integers(_ numbers: [Int]) -> [UInt8] {
    [UInt8(ascii: "(")] + numbers.flatMap(long) + [UInt8(ascii: "t")]
  }

  /// `_rebuild_tensor_v2(storage, offset, shape, strides, False, OrderedDict())`
  static func tensor(
    key: String = "0", count: Int = 6, offset: Int = 0, shape: [Int], strides: [Int], type: String = "FloatStorage"
  ) -> [UInt8] {
    let storage = text("storage") + global("torch", type) + text(key) + text("cpu") + long(count)
    var code = global("torch._utils", "_rebuild_tensor_v2") + Array("((".utf8) + storage + Array("tQ".utf8)
    code += long(offset) + integers(shape) + integers(strides) + [0x89]
    return code + global("collections", "OrderedDict") + Array(")RtR".utf8)
  }

  /// `{"t": value}`
  static func dictionary(_ value: [UInt8]) -> [UInt8] {
    [0x80, 2, UInt8(ascii: "}")] + text("t") + value + Array("s.".utf8)
  }
}

/// A folder that a test has for itself and that goes when the test ends.
final class TemporaryFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "clusca-torch-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path(percentEncoded: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ bytes: [UInt8]) throws -> String {
    let name = "\(path)/x.pt"
    try Data(bytes).write(to: URL(filePath: name))
    return name
  }
}
