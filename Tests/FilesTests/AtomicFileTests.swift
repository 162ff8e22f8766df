import Foundation
import Testing

@testable import Files

@Suite struct AtomicFileTests {
  @Test func aFileIsWrittenAndNothingElseIsLeft() throws {
    let folder = try TemporaryFolder()
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    #expect(try AtomicFile.write(bytes, to: folder.path + "/x.png") == folder.path + "/x.png")
    #expect(try InputFile.read(folder.path + "/x.png", maximumBytes: 300_000) == bytes)
    #expect(folder.names == ["x.png"])
    try AtomicFile.write([], to: folder.path + "/empty")
    #expect(try InputFile.read(folder.path + "/empty", maximumBytes: 0) == [])
  }

  @Test func anExistingFileIsNumberedRefusedOrReplaced() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/x.png"
    try AtomicFile.write("first", to: path)
    #expect(try AtomicFile.write("second", to: path) == folder.path + "/x-1.png")
    #expect(try AtomicFile.write("third", to: path) == folder.path + "/x-2.png")
    #expect(
      fileError { try AtomicFile.write("no", to: path, ifExists: .refuse) } == FileError(path: path, .writing, .exists))
    #expect(try folder.text("x.png") == "first")
    #expect(try AtomicFile.write("forced", to: path, ifExists: .overwrite) == path)
    #expect(try folder.text("x.png") == "forced")
    #expect(try folder.text("x-2.png") == "third")
    #expect(folder.names == ["x-1.png", "x-2.png", "x.png"])
  }

  @Test func withoutHardLinksANameIsStillTakenOnce() throws {
    let folder = try TemporaryFolder()
    for (text, isTaken) in [("first", false), ("second", true)] {
      let temporary = try TemporaryFile(in: folder.path)
      try Array(text.utf8).withUnsafeBytes { try temporary.write($0) }
      try temporary.finish()
      if isTaken {
        #expect(throws: FileFailure.exists) { try temporary.takeWithoutLink(folder.path + "/x") }
      } else {
        try temporary.takeWithoutLink(folder.path + "/x")
      }
    }
    #expect(try folder.text("x") == "first")
    #expect(folder.names == ["x"])
  }

  @Test func writersAtOnceLoseNothing() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/x.png"
    let names = try await withThrowingTaskGroup(of: String.self) { group in
      for index in 0..<40 { group.addTask { try AtomicFile.write("\(index)", to: path) } }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(names.count == 40)
    let texts = try Set(folder.names.map { try folder.text($0) })
    #expect(texts == Set((0..<40).map(String.init)))
  }

  @Test func aLinkLeadsToTheFileThatIsReplaced() throws {
    let folder = try TemporaryFolder()
    try AtomicFile.write("old", to: folder.path + "/real")
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/link", withDestinationPath: "real")
    try AtomicFile.write("new", to: folder.path + "/link", ifExists: .overwrite)
    #expect(try folder.text("real") == "new")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.path + "/link") == "real")
    #expect(try AtomicFile.write("other", to: folder.path + "/link") == folder.path + "/link-1")
  }

  @Test func aDeviceIsNotReplacedByAFile() throws {
    for path in ["/dev/null", "/dev/full"] {
      for policy: AtomicFile.ExistingFile in [.overwrite, .refuse, .number] {
        #expect(
          fileError { try AtomicFile.write("x", to: path, ifExists: policy) }
            == FileError(path: path, .writing, .notARegularFile))
      }
    }
  }

  @Test func missingFoldersAreReportedOrMade() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a/b/c/x.png"
    #expect(
      fileError { try AtomicFile.write("x", to: path) }?.description
        == "\(path) cannot be written: there is no folder \(folder.path)/a/b/c")
    #expect(folder.names.isEmpty)
    #expect(try AtomicFile.write("x", to: path, createFolders: true) == path)
    #expect(try AtomicFile.write("x", to: folder.path + "/a//d/y", createFolders: true) == folder.path + "/a//d/y")
    #expect(
      fileError { try AtomicFile.write("x", to: path + "/y.png", createFolders: true) }?.description
        == "\(path)/y.png cannot be written: \(path) is not a folder")
    #expect(folder.names == ["a"])
  }

  @Test func everyFailureHasItsSentence() throws {
    let folder = try TemporaryFolder()
    func sentence(_ path: String) -> String? { fileError { try AtomicFile.write("x", to: path) }?.description }
    #expect(sentence(folder.path) == "\(folder.path) cannot be written: it is a folder")
    #expect(sentence(folder.path + "/") == "\(folder.path)/ cannot be written: it is a folder")
    #expect(sentence("") == "A file without a name cannot be written: the path is empty or holds a zero byte")
    #expect(sentence("/tmp/a\0b") == "/tmp/a\\u{0}b cannot be written: the path is empty or holds a zero byte")
    let long = folder.path + "/" + String(repeating: "n", count: 300)
    #expect(sentence(long) == "\(long) cannot be written: the name is too long")
    // A folder in which not even root may make a file.
    #expect(sentence("/sys/kernel/x.png") == "/sys/kernel/x.png cannot be written: permission is denied")
    #expect(fileError { try AtomicFile.check("/sys/kernel/x.png") } != nil)
    #expect(fileError { try AtomicFile.check(long) } != nil)
    #expect(throws: Never.self) { try AtomicFile.check(folder.path + "/x.png") }
    #expect(folder.names.isEmpty)
  }

  @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
  func aFolderWithoutWritePermissionIsReported() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.path)
    let path = folder.path + "/x"
    #expect(fileError { try AtomicFile.write("x", to: path) } == FileError(path: path, .writing, .permissionDenied))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
  }

  @Test func readingHasItsSentencesToo() throws {
    let folder = try TemporaryFolder()
    try AtomicFile.write("12345", to: folder.path + "/x")
    func failure(_ path: String, _ limit: Int = 100) -> FileError? {
      fileError { _ = try InputFile.read(path, maximumBytes: limit) }
    }
    #expect(failure(folder.path + "/y") == FileError(path: folder.path + "/y", .reading, .noSuchFile))
    #expect(failure(folder.path) == FileError(path: folder.path, .reading, .isAFolder))
    #expect(failure(folder.path + "/x", 4) == FileError(path: folder.path + "/x", .reading, .largerThan(4)))
    #expect(failure("/dev/zero", 1 << 20) == FileError(path: "/dev/zero", .reading, .largerThan(1 << 20)))
    #expect(
      failure(folder.path + "/x/y") == FileError(path: folder.path + "/x/y", .reading, .notAFolder(folder.path + "/x")))
    #expect(failure("") == FileError(path: "", .reading, .invalidPath))
  }

  @Test func aFileInPiecesAppearsWhenItIsCommitted() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/x"
    let file = try AtomicFile(path, ifExists: .overwrite)
    for piece in ["one", "", "two"] { try file.write(Array(piece.utf8)) }
    #expect(!folder.names.contains("x"))
    #expect(try file.commit() == path)
    #expect(try folder.text("x") == "onetwo")
    #expect(folder.names == ["x"])
  }

  @Test func aFileThatIsNotCommittedLeavesNothing() throws {
    let folder = try TemporaryFolder()
    func begin() throws {
      let file = try AtomicFile(folder.path + "/x")
      try file.write([1, 2, 3])
      #expect(folder.names.count == 1)
    }
    try begin()
    #expect(folder.names.isEmpty)
  }

  @Test func aRegularFileIsReadUpToALimit() throws {
    let folder = try TemporaryFolder()
    let path = try AtomicFile.write("12345", to: folder.path + "/x")
    #expect(try RegularFile(path: path).contents(maximumBytes: 5) == Array("12345".utf8))
    #expect(
      fileError { _ = try RegularFile(path: path).contents(maximumBytes: 4) }
        == FileError(path: path, .reading, .largerThan(4)))
    #expect(
      fileError { _ = try RegularFile(path: "/dev/null") } == FileError(path: "/dev/null", .reading, .notARegularFile))
    #expect(
      fileError { _ = try RegularFile(path: path + "y") }?.description
        == "\(path)y cannot be read: there is no such file")
  }

  @Test func numbersStandBeforeTheExtension() {
    #expect(NumberedPath.path("x.png", number: 0) == "x.png")
    #expect(NumberedPath.path("a.b/x.tar.gz", number: 2) == "a.b/x.tar-2.gz")
    #expect(NumberedPath.path("a.b/x", number: 1) == "a.b/x-1")
    #expect(NumberedPath.path("a/.x", number: 1) == "a/.x-1")
    #expect(NumberedPath.path("x.", number: 1) == "x-1.")
  }
}
