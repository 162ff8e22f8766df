import Foundation
import Testing

/// A folder with the keys of a coordinator and of those that it lets in.
struct KeyedFolder {
  let folder: TemporaryFolder

  init(workers: [String] = [], clients: [String] = []) throws {
    folder = try TemporaryFolder()
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
    for name in ["coordinator"] + workers + clients {
      try #require(Program.run("keys", "new", name, "--folder", folder.path).status == 0)
    }
    for (role, names) in [("worker", workers), ("client", clients)] {
      for name in names {
        let allowed = try Program.run(
          "keys", "allow", "\(folder.path)/\(name).public", "--role", role, "--allow-list", list)
        try #require(allowed.status == 0, "\(allowed.errors)")
      }
    }
  }

  var list: String { "\(folder.path)/allowed" }

  func secret(_ name: String) -> String { "\(folder.path)/\(name).secret" }

  /// The command that starts the coordinator.
  func coordinator(at address: String) -> [String] {
    ["coordinator", "--listen", address, "-m", TinyModels.dev, "--state", "\(folder.path)/state"]
      + ["--key", secret("coordinator"), "--allow-list", list]
  }

  /// The command that starts a worker.
  func worker(_ name: String, of address: String) -> [String] {
    ["worker", "-m", TinyModels.dev, "--threads", "1", "--gflops", "10"] + identity(name, to: address)
  }

  /// The options with which somebody connects.
  func identity(_ name: String, to address: String) -> [String] {
    [
      "--coordinator", address, "--key", secret(name), "--coordinator-key", "\(folder.path)/coordinator.public",
    ]
  }
}
