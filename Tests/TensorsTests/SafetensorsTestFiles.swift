import Files
import Glibc

@testable import Tensors

/// Fixtures and temporary files of the tests of files and random numbers.
enum TestFiles {
  static let fixtures = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures"

  static func read(_ path: String) throws -> [UInt8] {
    let file = try RegularFile(path: path)
    return try file.bytes(0..<file.byteCount)
  }

  static func write(_ bytes: some Collection<UInt8>, to path: String) throws {
    guard let file = fopen(path, "wb") else { throw FileError(path: path, reason: "cannot be created") }
    defer { fclose(file) }
    let bytes = Array(bytes)
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
      throw FileError(path: path, reason: "cannot be written")
    }
  }

  static func write(_ text: String, to path: String) throws { try write(text.utf8, to: path) }
}

/// A folder that is removed, with all that is in it, when the value goes.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/clusca-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw FileError(path: "/tmp", reason: "cannot hold a folder") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.remove(path) }

  func folder(_ name: String) throws -> String {
    var path = path
    for part in name.split(separator: "/") {
      path += "/\(part)"
      guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw FileError(path: path, reason: "cannot be made") }
    }
    return path
  }

  private static func remove(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR {
      for name in (try? Folder.names(in: path)) ?? [] { remove("\(path)/\(name)") }
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}
