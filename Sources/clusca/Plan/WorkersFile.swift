import Files
import RenderCluster
import StrictJSON

/// A description of workers: a list of objects with `name`, `gflops`, `memory` (bytes, or `"16 GB"`) and `link` (bytes a
/// second, or `"1 Gbit/s"`), alone or under `workers`.
struct WorkersFile {
  let workers: [WorkerCapacity]

  private static let maximumBytes = 4 << 20
  private static let maximumWorkers = 4096
  private static let keys: Set<String> = ["name", "gflops", "memory", "link"]

  /// - Throws: `FileError` that names the worker and what is wrong with it.
  init(path: String) throws(FileError) {
    let bytes = try InputFile.read(path, maximumBytes: Self.maximumBytes)
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes)
    } catch {
      throw FileError(path: path, reason: "is no valid JSON: \(error)")
    }
    guard let list = json.array ?? json["workers"]?.array else {
      throw FileError(path: path, reason: "is no list of workers")
    }
    guard (1...Self.maximumWorkers).contains(list.count) else {
      throw FileError(path: path, reason: "lists \(list.count) workers, not 1 to \(Self.maximumWorkers)")
    }
    var workers: [WorkerCapacity] = []
    var names: Set<String> = []
    for (index, value) in list.enumerated() {
      let worker = try Self.worker(value, place: index + 1, path)
      guard names.insert(worker.name).inserted else {
        throw FileError(path: path, reason: "names two workers \(worker.name.printable())")
      }
      workers.append(worker)
    }
    self.workers = workers
  }

  private static func worker(_ value: JSONValue, place: Int, _ path: String) throws(FileError) -> WorkerCapacity {
    func failure(_ reason: String) -> FileError { FileError(path: path, reason: "worker \(place) \(reason)") }
    guard let object = value.object else { throw failure("is no object") }
    if let key = object.keys.first(where: { !keys.contains($0) }) {
      throw failure("has \"\(key.printable())\", which is none of name, gflops, memory and link")
    }
    guard let name = object["name"]?.string, !name.isEmpty, name.count <= 64 else {
      throw failure("has no \"name\" of 1 to 64 characters")
    }
    guard let gflops = object["gflops"]?.double, gflops > 0, gflops < 1e9 else {
      throw failure("has no \"gflops\", a number above 0")
    }
    guard let memory = object["memory"].flatMap({ Quantity.bytes($0) }), memory >= 0, memory < 1e16 else {
      throw failure("has no \"memory\", bytes or a text such as \"16 GB\"")
    }
    guard let link = object["link"].flatMap({ Quantity.bytesPerSecond($0) }), link > 0, link < 1e16 else {
      throw failure("has no \"link\", bytes a second or a text such as \"1 Gbit/s\"")
    }
    return WorkerCapacity(
      name: name, operationsPerSecond: gflops * 1e9, memoryBytes: Int(memory), bytesPerSecond: link)
  }
}

/// Sizes and rates as people write them.
enum Quantity {
  private static let prefixes: [(String, Double)] = [
    ("Ki", 1024), ("Mi", 1_048_576), ("Gi", 1_073_741_824), ("Ti", 1_099_511_627_776), ("k", 1e3), ("K", 1e3),
    ("M", 1e6), ("G", 1e9), ("T", 1e12), ("", 1),
  ]

  /// A number of bytes, or a text with a unit such as `16 GB` or `16 GiB`; nil for anything else.
  static func bytes(_ value: JSONValue) -> Double? {
    if let number = value.double { return number }
    return value.string.flatMap { amount($0, units: [("bytes", 1), ("B", 1)]) }
  }

  /// A number of bytes a second, or a text such as `125 MB/s` or `1 Gbit/s`; nil for anything else.
  static func bytesPerSecond(_ value: JSONValue) -> Double? {
    if let number = value.double { return number }
    return value.string.flatMap { amount($0, units: [("bit/s", 0.125), ("B/s", 1)]) }
  }

  private static func amount(_ text: String, units: [(name: String, factor: Double)]) -> Double? {
    for unit in units where text.hasSuffix(unit.name) {
      let rest = text.dropLast(unit.name.count)
      for (prefix, factor) in prefixes where rest.hasSuffix(prefix) {
        var number = rest.dropLast(prefix.count)
        while number.last == " " { number.removeLast() }
        guard let value = Double(number), value.isFinite, value >= 0 else { return nil }
        return value * factor * unit.factor
      }
    }
    return nil
  }
}
