import Glibc
import StrictJSON
import Testing

@testable import Conditioning

/// The fixtures of tokenizers, and folders made for a test.
enum TokenizerTestFiles {
  static let fixtures = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures"
  static let checkpoints = "\(fixtures)/reference/checkpoints"
  static let clip = "\(checkpoints)/flux-dev-tiny/tokenizer"
  static let t5 = "\(checkpoints)/flux-dev-tiny/tokenizer_2"
  static let llama = "\(fixtures)/tokenizers/llama3"

  static func bytes(_ path: String) throws -> [UInt8] {
    let parts = path.split(separator: "/")
    let folder = TokenizerFolder("/" + parts.dropLast().joined(separator: "/"))
    return try #require(try folder.bytes(String(parts[parts.count - 1])))
  }

  static func json(_ path: String) throws -> JSONValue { try JSONValue(parsing: bytes(path)) }

  static func ids(_ json: JSONValue?) throws -> [Int32] {
    try #require(json?.array).map { Int32(try #require($0.int)) }
  }

  static func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "wb"))
    defer { fclose(file) }
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
  }
}

/// A folder with a tokenizer that is removed, with its files, when the value goes.
final class TokenizerTestFolder: Sendable {
  let path: String

  init(_ files: [String: [UInt8]] = [:]) throws {
    var template = Array("/tmp/clusca-tests-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for (name, bytes) in files { try write(bytes, name) }
  }

  /// A copy of files of another folder.
  convenience init(copying names: [String], of folder: String) throws {
    try self.init()
    for name in names { try write(TokenizerTestFiles.bytes("\(folder)/\(name)"), name) }
  }

  deinit {
    guard let stream = opendir(path) else { return }
    while let entry = readdir(stream) {
      unlink(
        "\(path)/\(withUnsafeBytes(of: entry.pointee.d_name) { String(cString: $0.bindMemory(to: CChar.self).baseAddress!) })"
      )
    }
    closedir(stream)
    rmdir(path)
  }

  func write(_ bytes: [UInt8], _ name: String) throws { try TokenizerTestFiles.write(bytes, to: "\(path)/\(name)") }
  func write(_ text: String, _ name: String) throws { try write(Array(text.utf8), name) }

  /// Why the tokenizer is refused, without the path of this folder; "" if it is not.
  var refusal: String {
    do throws(TokenizerError) {
      _ = try Tokenizer(folder: path)
      return ""
    } catch {
      let text = error.description
      return text.hasPrefix(path) ? String(text.dropFirst(path.count)) : text
    }
  }
}
