import Files
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
    do throws(FileError) {
      return try RegularFile(path: path(of: name)).contents(maximumBytes: Self.maximumBytes)
    } catch {
      if error.failure == .noSuchFile { return nil }
      throw TokenizerError(path: error.path, .unreadable(error.reason))
    }
  }
}
