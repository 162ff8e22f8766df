import TorchFiles

/// Files of torch.
enum TorchTargets {
  static func torch(_ bytes: [UInt8]) {
    guard let file = try? TorchFile(path: ScratchFolder.shared.file(bytes)) else { return }
    for tensor in file.tensors {
      demand(tensor.withBytes { $0.reduce(0) { $0 &+ Int($1) } } >= 0, "Bytes have no sum")
      demand(tensor.withBytes { $0.count } == tensor.byteCount, "A tensor of another size")
    }
  }

  /// The pickle alone, which is put into a file with two storages.
  static func pickle(_ bytes: [UInt8]) {
    torch(
      file([
        ("x/data.pkl", bytes), ("x/byteorder", Array("little".utf8)), ("x/data/0", [UInt8](repeating: 1, count: 96)),
        ("x/data/1", [UInt8](repeating: 2, count: 24)),
      ]))
  }

  /// A zip file with these entries, as they are.
  private static func file(_ entries: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var (file, directory): ([UInt8], [UInt8]) = ([], [])
    for (name, bytes) in entries {
      let common: [UInt8] =
        [0, 0, 0, 0] + [UInt8](repeating: 0, count: 8) + little(bytes.count, 4) + little(bytes.count, 4)
      let length = little(name.utf8.count, 2)
      directory += [0x50, 0x4B, 1, 2, 20, 0, 20, 0] + common + length + [UInt8](repeating: 0, count: 12)
      directory += little(file.count, 4) + Array(name.utf8)
      file += [0x50, 0x4B, 3, 4, 20, 0] + common + length + [0, 0] + Array(name.utf8) + bytes
    }
    let count = little(entries.count, 2)
    let end: [UInt8] = [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + count + count + little(directory.count, 4)
    return file + directory + end + little(file.count, 4) + [0, 0]
  }

  private static func little(_ number: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
}
