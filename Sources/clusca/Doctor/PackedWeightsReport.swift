import Files
import Rendering
import StrictJSON

/// What `clusca pack` has written into the folder for caches.
struct PackedWeightsReport {
  /// Nil if there is no folder for caches.
  let folder: String?
  let files: [FileIdentity]

  init(environment: [String: String]) {
    folder = DigestCache(environment: environment)?.packedFolder
    let names = folder.flatMap { try? Folder.names(in: $0) } ?? []
    files = names.filter { $0.hasSuffix(".safetensors") }.compactMap { [folder] in
      try? FileIdentity(of: "\(folder ?? "")/\($0)")
    }
  }

  private var bytes: Int { files.reduce(0) { $0 + $1.byteCount } }

  var line: (String, String) {
    let state = files.isEmpty ? "no files" : "\(files.count) files, \(ByteCount(bytes))"
    return ("packed weights", folder.map { "\($0) (\(state))" } ?? "no folder for caches")
  }

  var json: JSONValue {
    ["folder": folder.map(JSONValue.string) ?? .null, "files": .integer(files.count), "bytes": .integer(bytes)]
  }
}
