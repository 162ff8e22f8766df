import Glibc
import Synchronization

/// A folder in memory. System calls take more time than most readers, so a file of the last input stays open, and is not
/// written where it is the same for the next one.
final class ScratchFolder: Sendable {
  static let shared = ScratchFolder()

  private struct File {
    let descriptor: CInt
    var bytes: [UInt8] = []

    /// Whether another file has its name now, or none.
    var isReplaced: Bool {
      var status = stat()
      return fstat(descriptor, &status) != 0 || status.st_nlink == 0
    }
  }

  let path: String
  private let held = Mutex<[String: File]>([:])

  private init() {
    var template = Array("/dev/shm/clusca-fuzzing-XXXXXX".utf8CString)
    demand(mkdtemp(&template) != nil, "There is no folder in memory")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // libFuzzer ends the process without returning from its driver.
    atexit {
      ScratchFolder.shared.hold([:])
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
    held.withLock { held in
      for (name, file) in held where files[name] == nil || file.isReplaced {
        if files[name] == nil { unlink("\(path)/\(name)") }
        close(file.descriptor)
        held[name] = nil
      }
      for (name, bytes) in files {
        var file = held[name] ?? File(descriptor: create(name))
        if file.bytes != bytes { write(bytes, to: &file) }
        held[name] = file
      }
    }
  }

  private func create(_ name: String) -> CInt {
    let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    demand(descriptor >= 0, "A file in memory cannot be made")
    return descriptor
  }

  private func write(_ bytes: [UInt8], to file: inout File) {
    let isShorter = bytes.count < file.bytes.count
    demand(
      pwrite(file.descriptor, bytes, bytes.count, 0) == bytes.count
        && (!isShorter || ftruncate(file.descriptor, bytes.count) == 0),
      "A file in memory cannot be written")
    file.bytes = bytes
  }
}
