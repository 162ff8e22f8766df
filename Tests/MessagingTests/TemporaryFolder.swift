import Foundation

/// A folder of the permissions 0700 that a test has for itself and that goes when the test ends. Its path is short, since
/// those of sockets must be.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = "/tmp/clm-" + String(UUID().uuidString.prefix(13))
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}
