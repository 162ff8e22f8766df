import Files
import Tensors

/// A file that `torch.save` wrote (`.pt`, `.pth`, `.bin`), as tensors by name. Nothing in it is run.
///
/// It is a zip file with a pickle, which names the tensors, and an entry for the numbers of each storage. Tensors inside
/// of dictionaries and lists get the names `outer.inner`; what is no tensor is left out.
public struct TorchFile: Sendable {
  /// In the file's order, with the bytes where they are in the file.
  public let tensors: [StoredTensor]
  /// How many numbers, texts and other values were left out.
  public let otherValues: Int

  private static let maximumValues = 1 << 20
  private static let maximumDepth = 16
  /// Beside the file's own size, so that small files may share storages too.
  private static let allowance = 64 << 20

  /// - Throws: `FileError`, one sentence that says what the file is or what is wrong with it.
  public init(path: String) throws(FileError) {
    let file = try MappedFile.open(path)
    try Self.checkBeginning(of: file)
    let archive = try ZipArchive(file)
    let pickles = archive.entries.keys.filter { $0.hasSuffix("/data.pkl") && $0.count(where: { $0 == "/" }) == 1 }
    guard let pickle = pickles.first, pickles.count == 1, let range = archive.entries[pickle] else {
      throw FileError(path: path, reason: "holds no data.pkl, so it was not written by torch.save")
    }
    guard range.count <= PickleReader.maximumBytes else {
      throw FileError(path: path, reason: "has a pickle of \(range.count) bytes, which is no list of tensors")
    }
    let folder = String(pickle.dropLast("data.pkl".count))
    if let order = archive.entries["\(folder)byteorder"] {
      let text = file.withBytes(order.lowerBound..<order.lowerBound + min(8, order.count)) { Array($0) }
      guard text == Array("little".utf8) else {
        throw FileError(path: path, reason: "holds numbers in big-endian order, which is not supported")
      }
    }
    var reader = PickleReader(file.withBytes(range) { Array($0) })
    var collection = Collection(archive: archive, folder: folder)
    do throws(PickleReader.Refusal) {
      let root = try reader.read()
      guard case .dictionary = root else { throw PickleReader.Refusal(reason: "is no dictionary of tensors") }
      try collection.collect(root, name: "", depth: 0, reader)
    } catch {
      throw FileError(path: path, reason: "its pickle \(error.reason)")
    }
    tensors = collection.tensors
    otherValues = collection.otherValues
  }

  private static func checkBeginning(of file: MappedFile) throws(FileError) {
    let start = file.withBytes(0..<min(4, file.byteCount)) { Array($0) }
    if start.starts(with: Array("PK".utf8)) { return }
    throw FileError(
      path: file.path,
      reason: start.first == 0x80
        ? "was written by torch.save of before version 1.6, which is not supported; load and save it with a newer torch"
        : "was not written by torch.save: it is no zip file")
  }

  /// The tensors that were found on the way through the pickle.
  private struct Collection {
    let archive: ZipArchive
    let folder: String
    var tensors: [StoredTensor] = []
    var otherValues = 0
    private var names: Set<String> = []
    private var visited = 0
    private var bytes = 0
    private var copiedBytes = 0

    init(archive: ZipArchive, folder: String) {
      self.archive = archive
      self.folder = folder
    }

    mutating func collect(
      _ value: PickleValue, name: String, depth: Int, _ reader: PickleReader
    ) throws(PickleReader.Refusal) {
      visited += 1
      guard visited <= TorchFile.maximumValues, depth <= TorchFile.maximumDepth else {
        throw PickleReader.Refusal(reason: "holds too many values inside one another")
      }
      let prefix = name.isEmpty ? "" : name + "."
      switch value {
      case .dictionary(let index):
        for (key, value) in reader.dictionaries[index] {
          try collect(value, name: prefix + Self.text(key), depth: depth + 1, reader)
        }
      case .list(let index), .tuple(let index):
        for (place, value) in reader.sequences[index].enumerated() {
          try collect(value, name: "\(prefix)\(place)", depth: depth + 1, reader)
        }
      case .tensor(let tensor):
        guard name.utf8.count <= 1000, names.insert(name).inserted else {
          throw PickleReader.Refusal(
            reason: "has two tensors of the name \(name.printable(limit: 80)), or one that is too long")
        }
        tensors.append(try stored(tensor, name))
      case .none, .bool, .integer, .number, .text, .global, .storage: otherValues += 1
      }
    }

    private static func text(_ key: PickleValue) throws(PickleReader.Refusal) -> String {
      switch key {
      case .text(let text): return text
      case .integer(let number): return "\(number)"
      default: throw PickleReader.Refusal(reason: "has a dictionary whose keys are no texts")
      }
    }

    /// The tensor where it is, or if its elements are scattered in the storage, a copy.
    private mutating func stored(
      _ tensor: TorchTensor, _ name: String
    ) throws(PickleReader.Refusal) -> StoredTensor {
      let (storage, width) = (tensor.storage, tensor.storage.type.byteCount)
      guard let entry = archive.entries["\(folder)data/\(storage.key)"], storage.count <= entry.count / width else {
        throw PickleReader.Refusal(
          reason: "names more numbers for \(name.printable(limit: 80)) than the file holds")
      }
      bytes += tensor.count * width
      // Many views of one storage could be much more than the file.
      guard bytes <= 4 * archive.file.byteCount + TorchFile.allowance else {
        throw PickleReader.Refusal(reason: "names many times more numbers than the file holds")
      }
      do {
        if tensor.isContiguous {
          return try StoredTensor(
            name: name, dtype: storage.type, shape: tensor.shape, file: archive.file,
            offset: entry.lowerBound + tensor.offset * width)
        }
        copiedBytes += tensor.count * width
        guard copiedBytes <= archive.file.byteCount + TorchFile.allowance else {
          throw PickleReader.Refusal(reason: "names many times more numbers than the file holds")
        }
        return try StoredTensor(
          name: name, dtype: storage.type, shape: tensor.shape,
          bytes: archive.file.withBytes(entry) { source in
            tensor.places.flatMap { source[$0 * width..<($0 + 1) * width] }
          })
      } catch let error as PickleReader.Refusal {
        throw error
      } catch {
        throw PickleReader.Refusal(reason: "holds a tensor that cannot be: \(error)")
      }
    }
  }
}
