import Foundation
import Messaging
import StrictJSON
import Testing

@testable import clusca

/// `clusca keys`, as a user works with it.
struct KeysTests {
  private let home: TemporaryFolder
  private var folder: String { "\(home.path)/.config/clusca/keys" }

  init() throws { home = try TemporaryFolder() }

  private func keys(_ arguments: String...) throws -> Program.Outcome {
    try Program.run(["keys"] + arguments, environment: ["HOME": home.path, "XDG_CONFIG_HOME": ""])
  }

  private func permissions(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  @Test func aNewKeyLiesInAFolderOfItsOwner() throws {
    let outcome = try keys("new", "node-1")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output == "\(folder)/node-1.public\n")
    #expect(try permissions(folder) == 0o700)
    #expect(try permissions("\(folder)/node-1.secret") == 0o600)
    let pair = try KeyFiles.read(secret: "\(folder)/node-1.secret")
    #expect(try KeyFiles.read(public: "\(folder)/node-1.public").key == pair.publicKey)
    #expect(try !String(contentsOfFile: "\(folder)/node-1.public", encoding: .utf8).contains("secret"))
  }

  @Test func aKeyIsNeverReplaced() throws {
    _ = try keys("new", "node-1")
    let before = try Data(contentsOf: URL(filePath: "\(folder)/node-1.secret"))
    let outcome = try keys("new", "node-1")
    #expect(outcome.status == Status.output.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(try Data(contentsOf: URL(filePath: "\(folder)/node-1.secret")) == before)
  }

  @Test func theFolderMayBeAnother() throws {
    let other = "\(home.path)/a/b"
    #expect(try keys("new", "x", "--folder", other).output == "\(other)/x.public\n")
    let set = try Program.run("keys", "new", "y", environment: ["XDG_CONFIG_HOME": "\(home.path)/c"])
    #expect(set.output == "\(home.path)/c/clusca/keys/y.public\n")
  }

  @Test func whoIsAllowedIsListedUntilRevoked() throws {
    _ = try keys("new", "node-1")
    _ = try keys("new", "anna", "--folder", home.path)
    #expect(try keys("list").output == "allowed by \(folder)/allowed: nobody\nown keys: node-1\n")
    let first = try keys("allow", "node-1.public", "--role", "worker")
    #expect(
      first.status == 0 && first.output == "node-1 is allowed as worker by \(folder)/allowed\n", "\(first.errors)")
    let second = try keys("allow", "\(home.path)/anna.public", "--role", "admin", "--not-after", "2099-01-31")
    #expect(second.status == 0, "\(second.errors)")
    let list = try keys("list").output
    let key = try KeyFiles.read(public: "\(folder)/node-1.public").key.text
    #expect(list.contains("node-1  worker  \(key)\n") && list.contains("until 2099-01-31T23:59:59Z"))
    let json = try JSONValue(parsing: keys("list", "--json").output)
    #expect(json["allowed"]?[0]?["role"] == "worker" && json["allowed"]?[0]?["not_after"] == .null)
    #expect(json["allowed"]?[1]?["not_after"] == "2099-01-31T23:59:59Z" && json["own_keys"] == ["node-1"])
    #expect(try AllowListFile("\(folder)/allowed").read().entries.map(\.role) == [.worker, .admin])

    #expect(try keys("revoke", "node-1").status == 0)
    #expect(try AllowListFile("\(folder)/allowed").read().entries.map(\.name) == ["anna"])
    let again = try keys("revoke", "node-1")
    #expect(again.status == Status.input.rawValue && again.hasOneSentence, "\(again.errors)")
    #expect(again.errors.contains("node-1 is not on"))
  }

  @Test func aKeyThatHasRunOutIsShownAsSuch() throws {
    _ = try keys("new", "old")
    #expect(try keys("allow", "old", "--role", "client", "--not-after", "2001-02-03T04:05:06Z").status == 0)
    #expect(try keys("list").output.contains("ran out at 2001-02-03T04:05:06Z"))
  }

  @Test func theAllowListMayBeAnother() throws {
    _ = try keys("new", "node-1")
    let list = "\(home.path)/list"
    #expect(try keys("allow", "node-1", "--role", "observer", "--allow-list", list).status == 0)
    #expect(try keys("list", "--allow-list", list).output.contains("observer"))
    #expect(try keys("revoke", "node-1", "--allow-list", list).status == 0)
    #expect(!FileManager.default.fileExists(atPath: "\(folder)/allowed"))
  }

  @Test func nameAndKeyStandOnAListOnce() throws {
    _ = try keys("new", "node-1")
    #expect(try keys("allow", "node-1", "--role", "worker").status == 0)
    let twice = try keys("allow", "node-1", "--role", "client")
    #expect(twice.status == Status.output.rawValue && twice.hasOneSentence, "\(twice.errors)")
    #expect(twice.errors.contains("clusca keys revoke node-1"))
    let text = try String(contentsOfFile: "\(folder)/node-1.public", encoding: .utf8)
    let renamed = try home.file("renamed.public", text.replacing(" node-1 ", with: " node-2 "))
    let other = try keys("allow", renamed, "--role", "worker")
    #expect(other.status == Status.output.rawValue && other.errors.contains("under the name node-1"), "\(other.errors)")
  }

  @Test(arguments: [
    ["new", "../x"], ["new", ""], ["new", "a b"], ["new"], ["allow", "node-1", "--role", "coordinator"],
    ["allow", "node-1"], ["new", "x", "--folder", ""], ["revoke"],
    ["allow", "node-1", "--role", "worker", "--not-after", "soon"],
    ["allow", "node-1", "--role", "worker", "--not-after", "2099-02-30"],
    ["allow", "node-1", "--role", "worker", "--not-after", "2099-01-01\nx worker"],
  ])
  func wrongUsageIsOneSentenceAndChangesNothing(arguments: [String]) throws {
    _ = try keys("new", "node-1")
    let outcome = try Program.run(["keys"] + arguments, environment: ["HOME": home.path, "XDG_CONFIG_HOME": ""])
    #expect(outcome.status == Status.usage.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: "\(folder)/allowed"))
  }

  @Test func whatIsMissingOrDamagedIsOneSentence() throws {
    let list = try home.file("list", "node-1 worker\n")
    let secret = try home.file("x.public", "clusca-secret-key x y\n")
    for arguments in [
      ["allow", "nobody.public", "--role", "worker"], ["allow", secret, "--role", "worker"],
      ["list", "--allow-list", "\(home.path)/none"], ["list", "--allow-list", list],
      ["revoke", "a", "--allow-list", list],
    ] {
      let outcome = try Program.run(["keys"] + arguments, environment: ["HOME": home.path, "XDG_CONFIG_HOME": ""])
      #expect(outcome.status == Status.input.rawValue && outcome.hasOneSentence, "\(arguments): \(outcome.errors)")
    }
    let full = try keys("new", "x", "--folder", "/proc/clusca")
    #expect(full.status == Status.output.rawValue && full.hasOneSentence, "\(full.errors)")
    let homeless = try Program.runShell("env -i \"$0\" keys new x")
    #expect(
      homeless.status == Status.usage.rawValue && homeless.errors.contains("XDG_CONFIG_HOME"), "\(homeless.errors)")
  }
}
