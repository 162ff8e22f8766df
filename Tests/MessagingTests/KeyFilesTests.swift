import Files
import Glibc
import Testing

@testable import Messaging

@Suite struct KeyFilesTests {
  private func permissions(_ path: String) -> UInt32 {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
  }

  @Test func keysAreMadeAndReadAgain() throws {
    let folder = try TemporaryFolder()
    let keys = try KeyFiles.make(name: "w1", in: folder.path)
    #expect(folder.names == ["w1.public", "w1.secret"])
    #expect(permissions(folder.path + "/w1.secret") == 0o600)
    #expect(try KeyFiles.read(secret: folder.path + "/w1.secret").publicKey == keys.publicKey)
    let (name, key) = try KeyFiles.read(public: folder.path + "/w1.public")
    #expect(name == "w1" && key == keys.publicKey)
    #expect("\(keys)".contains(keys.publicKey.text) && !"\(keys)".contains(keys.secretKey.text))
    var dumped = ""
    dump(keys.secretKey, to: &dumped)
    #expect(!String(reflecting: keys).contains(keys.secretKey.text))
    #expect(!dumped.contains(keys.secretKey.text))
  }

  @Test func aSecretIsNeverOverwritten() throws {
    let folder = try TemporaryFolder()
    let keys = try KeyFiles.make(name: "w1", in: folder.path)
    #expect(throws: FileError.self) { try KeyFiles.make(name: "w1", in: folder.path) }
    unlink(folder.path + "/w1.public")
    #expect(throws: FileError.self) { try KeyFiles.make(name: "w1", in: folder.path) }
    #expect(try KeyFiles.read(secret: folder.path + "/w1.secret").publicKey == keys.publicKey)
    #expect(folder.names == ["w1.secret"])
    for name in ["", "../w2", "a/b", ".hidden", "a b"] {
      #expect(throws: KeyFileError.self) { try KeyFiles.make(name: name, in: folder.path) }
    }
  }

  @Test(arguments: [0o644, 0o640, 0o604, 0o620, 0o601]) func aSecretThatOthersMayUseIsRefused(mode: UInt32) throws {
    let folder = try TemporaryFolder()
    try KeyFiles.make(name: "w1", in: folder.path)
    chmod(folder.path + "/w1.secret", mode)
    #expect(throws: KeyFileError.self) { try KeyFiles.read(secret: folder.path + "/w1.secret") }
    chmod(folder.path + "/w1.secret", 0o400)
    #expect(throws: Never.self) { try KeyFiles.read(secret: folder.path + "/w1.secret") }
  }

  @Test func whatIsNoKeyIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/x"
    let key = Samples.key.text
    for text in [
      "", key, "clusca-public-key w \(key)", "clusca-secret-key w \(key.dropLast())", "clusca-secret-key w \(key) x",
    ] {
      try AtomicFile.write(text, to: path, ifExists: .overwrite)
      chmod(path, 0o600)
      #expect(throws: KeyFileError.self) { try KeyFiles.read(secret: path) }
    }
    #expect(throws: FileError.self) { try KeyFiles.read(secret: folder.path + "/y") }
    for text in [
      "", String(repeating: " ", count: 40), String(repeating: "~", count: 40), key + "a",
      String(key.dropLast()) + "\0",
    ] {
      #expect(PublicKey(text) == nil)
    }
  }

  @Test func theListSaysWhoMayDoWhat() throws {
    let (first, second) = (try KeyPair().publicKey, try KeyPair().publicKey)
    let list = try AllowList(
      parsing: "# The cluster\n\n  w1\tworker \(first)\r\n#no # comment\nanna client \(second) 2027-01-31\n")
    #expect(list.entries.map(\.name) == ["w1", "anna"])
    #expect(list[first, now: .max]?.role == .worker)
    // 31 January 2027, 23:59:59 UTC.
    #expect(list[second, now: 1_801_439_999]?.role == .client)
    #expect(list[second, now: 1_801_440_000] == nil)
    #expect(list[Samples.key, now: 0] == nil)
    for (line, text) in [
      (1, "w1 worker"), (2, "w1 worker \(first)\nw1 worker \(second)"), (2, "w1 worker \(first)\nw2 worker \(first)"),
      (1, "w1 boss \(first)"), (1, "w1 coordinator \(first)"), (1, "w/1 worker \(first)"), (1, "w1 worker key"),
      (1, "w1 worker \(first) 2027-02-29"), (1, "w1 worker \(first) tomorrow"), (1, "w1 worker \(first) 2027-01-31 x"),
      (1, "w1 worker \(first) 2027-01-31T24:00:00Z"),
    ] {
      do {
        _ = try AllowList(parsing: text)
        Issue.record("\(text) is no list")
      } catch {
        #expect(error.line == line)
      }
    }
    #expect(AllowList.second("2024-02-29T12:00:01Z") == 1_709_208_001)
  }

  @Test func theListInItsFileIsChangedAsAWhole() async throws {
    let folder = try TemporaryFolder()
    let file = AllowListFile(folder.path + "/peers")
    let key = try KeyPair().publicKey
    try file.add(name: "w1", role: .worker, key: key)
    try file.add(name: "anna", role: .client, key: try KeyPair().publicKey, notAfter: "2030-12-31")
    #expect(throws: KeyFileError.self) { try file.add(name: "w1", role: .worker, key: try KeyPair().publicKey) }
    #expect(throws: KeyFileError.self) { try file.add(name: "w2", role: .worker, key: key) }
    #expect(throws: KeyFileError.self) {
      try file.add(name: "w2", role: .worker, key: try KeyPair().publicKey, notAfter: "soon")
    }
    #expect(try file.read().entries.map(\.name) == ["w1", "anna"])
    let text = String(decoding: try InputFile.read(file.path, maximumBytes: 4096), as: UTF8.self)
    try AtomicFile.write("# Ours\n" + text, to: file.path, ifExists: .overwrite)
    #expect(try file.revoke(name: "w1"))
    #expect(try !file.revoke(name: "w1"))
    #expect(try !file.revoke(name: "#"))
    let rest = String(decoding: try InputFile.read(file.path, maximumBytes: 4096), as: UTF8.self)
    #expect(rest.hasPrefix("# Ours\nanna client ") && rest.hasSuffix(" 2030-12-31\n"))

    // Twenty at once lose nothing.
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<20 {
        group.addTask { try file.add(name: "n\(index)", role: .worker, key: try KeyPair().publicKey) }
      }
      try await group.waitForAll()
    }
    #expect(try file.read().entries.count == 21)
    #expect(folder.names == ["peers"])
  }

  @Test func strangersArePutOffByAddressAndListedKeysNever() throws {
    let keys = try KeyPair()
    let entry = AllowList.Entry(name: "w1", role: .worker, key: keys.publicKey, notAfter: 1000)
    var keeper = Doorkeeper(AllowList([entry])!, limits: Limits())
    func answer(_ key: PublicKey? = Samples.key, _ address: String = "10.0.0.1", now: Int, date: Int = 0)
      -> Doorkeeper.Answer
    {
      keeper.answer(key, from: address, now: now, date: date)
    }
    for _ in 0..<20 { #expect(answer(now: 5) == .unlisted) }
    #expect(answer(now: 6) == .putOff)
    #expect(answer(nil, now: 6) == .putOff)
    #expect(answer(now: 6) == .putOff)
    #expect(answer(Samples.key, "10.0.0.2", now: 6) == .unlisted)
    #expect(answer(keys.publicKey, now: 6) == .admitted(entry))
    #expect(answer(now: 65) == .unlisted)
    // A key whose time is over is a stranger's.
    #expect(answer(keys.publicKey, now: 66, date: 1001) == .unlisted)
    #expect(keeper.refused == 26)
    for index in 0..<5000 { _ = answer(Samples.key, "\(index)", now: 70) }
    #expect(answer(Samples.key, "new", now: 71) == .putOff)
    #expect(answer(keys.publicKey, "new", now: 71) == .admitted(entry))
    #expect(answer(Samples.key, "new", now: 131) == .unlisted)
  }
}
