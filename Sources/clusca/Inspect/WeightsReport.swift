import StrictJSON
import Tensors

/// A safetensors file, or the shards of an index.
struct WeightsReport: InspectionReport {
  let path: String
  let store: TensorStore
  let summary: TensorSummary
  let problems: [String] = []

  init(path: String) throws {
    try self.init(
      store: path.lowercased().hasSuffix(".json") ? TensorStore(index: path) : TensorStore(file: path))
  }

  init(store: TensorStore) {
    path = store.path
    self.store = store
    summary = TensorSummary(store.names.compactMap { store[$0] })
  }

  /// Name, type and shape of each tensor.
  var tensorRows: [(label: String, value: String)] {
    store.names.compactMap { store[$0] }.map { ($0.name, "\($0.dtype.rawValue) \($0.shape)") }
  }

  var tensorsJSON: JSONValue {
    .array(
      store.names.compactMap { store[$0] }.map { tensor in
        [
          "name": .string(tensor.name), "dtype": .string(tensor.dtype.rawValue),
          "shape": .array(tensor.shape.map(JSONValue.integer)),
        ]
      })
  }

  var fileRows: [(label: String, value: String)] {
    let names = store.files.map { Self.name($0.path) }.sorted()
    if names.count == 1 { return [("file", names[0])] }
    return [("files", names.count <= 3 ? names.joined(separator: ", ") : "\(names.count), \(names[0]) and so on")]
  }

  var filesJSON: JSONValue {
    .array(store.files.map { ["path": .string($0.path), "bytes": .integer($0.dataByteCount)] })
  }

  func lines(withTensors: Bool) -> [String] {
    var lines = [path] + Table.lines(fileRows + summary.rows, indent: 2)
    for file in store.files where !file.metadata.isEmpty {
      lines.append("metadata of \(Self.name(file.path))")
      let rows = file.metadata.sorted { $0.key < $1.key }.map { (label: $0.key, value: Self.short($0.value)) }
      lines += Table.lines(rows, indent: 2)
    }
    if withTensors { lines += ["tensors"] + Table.lines(tensorRows, indent: 2) }
    return lines
  }

  func json(withTensors: Bool) -> JSONValue {
    var json: JSONObject = ["kind": "weights", "path": .string(path), "files": filesJSON]
    for (key, value) in summary.json { json[key] = value }
    let metadata = store.files.flatMap { $0.metadata.sorted { $0.key < $1.key } }
    json["metadata"] = .object(JSONObject(texts: metadata.map { ($0.key, $0.value) }))
    if withTensors { json["tensors"] = tensorsJSON }
    return .object(json)
  }

  static func name(_ path: String) -> String {
    String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
  }

  /// Some trainers keep whole logs in the metadata.
  private static func short(_ text: String) -> String {
    text.count > 200 ? "\(text.prefix(200))… (\(text.utf8.count) bytes)" : text
  }
}
