import Glibc
import Synchronization

/// A folder in memory.
final class ScratchFolder: Sendable {
  static let shared = ScratchFolder()

  let path: String
  private let held = Mutex<[String]>([])

  private init() {
    var template = Array("/dev/shm/clusca-fuzzing-XXXXXX".utf8CString)
    demand(mkdtemp(&template) != nil, "There is no folder in memory")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // libFuzzer ends the process without returning from its driver.
    atexit {
      for name in ScratchFolder.shared.held.withLock({ $0 }) { unlink("\(ScratchFolder.shared.path)/\(name)") }
      rmdir(ScratchFolder.shared.path)
    }
  }

  /// The path of a file of these bytes, alone in the folder.
  func file(_ bytes: [UInt8]) -> String {
    hold(["file": bytes])
    return "\(path)/file"
  }

  /// Has these files and no others.
  func hold(_ files: [String: [UInt8]]) {
    // Of the last input only, since system calls take more time than most readers.
    held.withLock { held in
      for name in held where files[name] == nil { unlink("\(path)/\(name)") }
      held = Array(files.keys)
    }
    for (name, bytes) in files {
      let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      demand(
        descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count,
        "The folder in memory cannot be written")
      close(descriptor)
    }
  }
}
