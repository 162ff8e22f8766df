import Files
import Glibc

/// An allow-list in its file. Changes replace the file as a whole and keep comments; two at once wait for each other.
public struct AllowListFile: Sendable, Hashable {
  private static let maximumBytes = 4 << 20

  public let path: String

  public init(_ path: String) { self.path = path }

  /// - Throws: a `FileError`, or a ``KeyFileError`` that names the line.
  public func read() throws -> AllowList { try parse(try text()) }

  /// Adds a line at the end; makes the file if there is none.
  ///
  /// - Throws: ``KeyFileError`` if the name or the key is there already.
  public func add(name: String, role: Role, key: PublicKey, notAfter: String? = nil) throws {
    let line = [name, role.word, key.text, notAfter].compactMap { $0 }.joined(separator: " ")
    try locked {
      var text = access(path, F_OK) == 0 ? try text() : ""
      if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
      text += line + "\n"
      _ = try parse(text)
      try write(text)
    }
  }

  /// Takes the key of that name off the list; false if it was not on it.
  @discardableResult
  public func revoke(name: String) throws -> Bool {
    // Anything else could be the beginning of a comment.
    guard MessageText.isName(name) else { return false }
    return try locked {
      let old = try text()
      _ = try parse(old)
      let lines = old.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      let kept = lines.filter { $0.split(whereSeparator: \.isWhitespace).first.map(String.init) != name }
      guard kept.count < lines.count else { return false }
      try write(kept.joined(separator: "\n"))
      return true
    }
  }

  private func text() throws -> String {
    let bytes = try InputFile.read(path, maximumBytes: Self.maximumBytes)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw KeyFileError(path: path, "is no UTF-8") }
    return text
  }

  private func parse(_ text: String) throws -> AllowList {
    do {
      return try AllowList(parsing: text)
    } catch {
      throw KeyFileError(path: path, "is no allow-list: line \(error.line) \(error.reason)")
    }
  }

  private func write(_ text: String) throws {
    let file = try AtomicFile(path, ifExists: .overwrite, permissions: 0o644)
    try file.write(Array(text.utf8))
    try file.commit()
  }

  /// Holds a lock on the folder meanwhile: the file itself is another one after each change.
  private func locked<Value>(_ body: () throws -> Value) throws -> Value {
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(path: path, .writing, .noSuchFolder(folder)) }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else { throw FileError(path: path, .writing, .system(errno)) }
    }
    return try body()
  }
}
