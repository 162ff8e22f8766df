import Files
import Glibc

/// Keys in files: `NAME.secret`, for its owner's eyes, and `NAME.public`, to be enrolled elsewhere.
public enum KeyFiles {
  private static let secretMark = "clusca-secret-key"
  private static let publicMark = "clusca-public-key"
  private static let maximumBytes = 4096

  /// Whether a node can be called so: letters, digits, dot, minus and underscore of ASCII, 64 at most, the first of them a
  /// letter or digit.
  public static func isName(_ text: String) -> Bool { MessageText.isName(text) }

  /// Makes keys and writes both files into `folder`.
  ///
  /// - Throws: ``KeyFileError`` for a name that is none (letters, digits, dot, minus, underscore; 64 at most), and a
  ///   `FileError` if one of the files exists: a secret is never overwritten.
  @discardableResult
  public static func make(name: String, in folder: String) throws -> KeyPair {
    guard MessageText.isName(name) else { throw KeyFileError(path: name, "is no name for a key") }
    let keys = try KeyPair()
    let secret = try AtomicFile(folder + "/\(name).secret", ifExists: .refuse, permissions: 0o600)
    let open = try AtomicFile(folder + "/\(name).public", ifExists: .refuse, permissions: 0o644)
    try secret.write(Array("\(secretMark) \(name) \(keys.secretKey.text)\n".utf8))
    try open.write(Array("\(publicMark) \(name) \(keys.publicKey.text)\n".utf8))
    try secret.commit()
    try open.commit()
    return keys
  }

  /// The keys of a secret file.
  ///
  /// - Throws: ``KeyFileError`` if the file belongs to another user (root's may), others may read it, or it is no such
  ///   file.
  public static func read(secret path: String) throws -> KeyPair { try readNamed(secret: path).keys }

  /// The keys of a secret file and the name that they were made for.
  ///
  /// - Throws: as ``read(secret:)``.
  public static func readNamed(secret path: String) throws -> (name: String, keys: KeyPair) {
    var status = stat()
    // Looked at by its name, then read by it: whoever could change the file in between owns the folder.
    guard stat(path, &status) == 0 else { throw FileError(path: path, .reading, .noSuchFile) }
    guard status.st_uid == geteuid() || status.st_uid == 0 else {
      throw KeyFileError(path: path, "belongs to another user")
    }
    // A file of root's may be readable by a group: systemd and Kubernetes hand secrets to services like that.
    let others: mode_t = status.st_uid == 0 && geteuid() != 0 ? 0o037 : 0o077
    guard status.st_mode & others == 0 else {
      throw KeyFileError(path: path, "may be read by others; it needs the permissions 0600")
    }
    let words = try words(path)
    guard words.count == 3, words[0] == secretMark, MessageText.isName(words[1]), let secret = SecretKey(words[2])
    else { throw KeyFileError(path: path, "is no secret key of clusca") }
    return (words[1], try KeyPair(secret))
  }

  /// Name and key of a public file.
  public static func read(public path: String) throws -> (name: String, key: PublicKey) {
    let words = try words(path)
    guard words.count == 3, words[0] == publicMark, MessageText.isName(words[1]), let key = PublicKey(words[2]) else {
      throw KeyFileError(path: path, "is no public key of clusca")
    }
    return (words[1], key)
  }

  private static func words(_ path: String) throws -> [String] {
    let bytes = try InputFile.read(path, maximumBytes: maximumBytes)
    return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
  }
}

/// What is wrong with a file of keys, or with an allow-list.
public struct KeyFileError: Error, Sendable, Hashable, CustomStringConvertible {
  public let path: String
  public let reason: String

  init(path: String, _ reason: String) {
    self.path = path
    self.reason = reason
  }

  public var description: String { "\(path.printable()) \(reason)" }
}
