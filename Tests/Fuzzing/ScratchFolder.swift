import Glibc

/// A folder in memory.
final class ScratchFolder: Sendable {
  static let shared = ScratchFolder()

  let path: String

  private init() {
    var template = Array("/dev/shm/clusca-fuzzing-XXXXXX".utf8CString)
    demand(mkdtemp(&template) != nil, "There is no folder in memory")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // libFuzzer ends the process without returning from its driver.
    atexit {
      for name in ScratchFolder.names { unlink("\(ScratchFolder.shared.path)/\(name)") }
      rmdir(ScratchFolder.shared.path)
    }
  }

  static let names = [
    "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "spiece.model", "special_tokens_map.json",
    "added_tokens.json", "file",
  ]

  /// The path of a file of these bytes, alone in the folder.
  func file(_ bytes: [UInt8]) -> String {
    hold(["file": bytes])
    return "\(path)/file"
  }

  /// Has these files and no others.
  func hold(_ files: [String: [UInt8]]) {
    for name in Self.names {
      guard let bytes = files[name] else {
        unlink("\(path)/\(name)")
        continue
      }
      let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      demand(
        descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count,
        "The folder in memory cannot be written")
      close(descriptor)
    }
  }
}
