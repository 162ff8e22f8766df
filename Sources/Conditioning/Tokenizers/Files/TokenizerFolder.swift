import Glibc
import StrictJSON

/// A folder such as `tokenizer/` of a checkpoint, whose files come from strangers.
struct TokenizerFolder: Sendable {
  let path: String

  static let maximumBytes = 32 << 20

  init(_ path: String) {
    self.path = path.hasSuffix("/") && path != "/" ? String(path.dropLast()) : path
  }

  func path(of name: String) -> String { "\(path)/\(name)" }

  /// The document in the file `name`; nil if there is no such file.
  func json(_ name: String) throws(TokenizerError) -> JSONValue? {
    guard let bytes = try bytes(name) else { return nil }
    do throws(JSONError) {
      return try JSONValue(parsing: bytes, limits: JSONLimits(maximumBytes: Self.maximumBytes, maximumDepth: 32))
    } catch {
      throw TokenizerError(path: path(of: name), .malformedJSON(error.reason, offset: error.offset))
    }
  }

  /// The bytes of the file `name`; nil if there is no such file.
  func bytes(_ name: String) throws(TokenizerError) -> [UInt8]? {
    let path = path(of: name)
    guard !path.utf8.contains(0) else {
      throw TokenizerError(path: path, .unreadable("a path cannot hold a zero byte"))
    }
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw Self.failure(path)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.failure(path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw TokenizerError(path: path, .unreadable("it is not a regular file"))
    }
    return try Self.read(descriptor, path: path, expecting: Int(status.st_size))
  }

  private static func read(_ descriptor: Int32, path: String, expecting size: Int) throws(TokenizerError) -> [UInt8] {
    guard size <= maximumBytes else { throw TokenizerError(path: path, .tooLarge(limit: maximumBytes)) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = part.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw failure(path)
      }
      guard bytes.count + count <= maximumBytes else {
        throw TokenizerError(path: path, .tooLarge(limit: maximumBytes))
      }
      bytes.append(contentsOf: part[..<count])
    }
  }

  private static func failure(_ path: String) -> TokenizerError {
    TokenizerError(path: path, .unreadable(String(cString: strerror(errno))))
  }
}
