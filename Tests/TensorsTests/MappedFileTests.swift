import Files
import Glibc
import Testing

@testable import Tensors

@Suite struct MappedFileTests {
  let folder: TemporaryFolder
  var path: String { "\(folder.path)/file" }

  init() throws { folder = try TemporaryFolder() }

  @Test func theBytesOfTheFileAreSeen() throws {
    try TestFiles.write("hello", to: path)
    let file = try MappedFile.open(path)
    #expect(file.byteCount == 5)
    #expect(file.withBytes(1..<4) { Array($0) } == Array("ell".utf8))
    #expect(file.withBytes(5..<5) { $0.count } == 0)
  }

  @Test func anEmptyFileIsMappedAsNothing() throws {
    try TestFiles.write("", to: path)
    let file = try MappedFile.open(path)
    #expect(file.byteCount == 0)
    #expect(file.withBytes(0..<0) { $0.count } == 0)
    file.advise(.willNeed, 0..<0)
  }

  @Test func theMappingOutlivesTheName() throws {
    try TestFiles.write("still here", to: path)
    let file = try MappedFile.open(path)
    unlink(path)
    #expect(file.withBytes(0..<5) { Array($0) } == Array("still".utf8))
  }

  @Test func bytesAreStillThereAfterEveryAdvice() throws {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try TestFiles.write(bytes, to: path)
    let file = try MappedFile.open(path)
    for advice in [MappedFile.Advice.willNeed, .sequential, .done] {
      for range in [0..<100_000, 5000..<20_000, 4096..<8192, 99_000..<100_000, 10..<10, 0..<200_000] {
        file.advise(advice, range)
        #expect(file.withBytes(0..<100_000) { $0.elementsEqual(bytes) })
      }
    }
  }

  @Test func aFileThatBecameShorterIsNoticed() throws {
    let writer = try StoredTensor(name: "t", shape: [3000], values: [Float](repeating: 1, count: 3000))
    try SafetensorsWriter.write([writer], to: path)
    let tensor = try #require(try SafetensorsFile(path: path)["t"])
    #expect(try tensor.float32Values().count == 3000)
    #expect(truncate(path, 5000) == 0)
    #expect(throws: FileError.self) { try tensor.float32Values() }
  }

  @Test func theDescriptorIsClosedOnExecAndWithTheLastReference() throws {
    try TestFiles.write("x", to: path)
    var file: MappedFile? = try MappedFile.open(path)
    #expect(file?.byteCount == 1)
    let mine = try openDescriptors()
    #expect(mine.count == 1)
    for descriptor in mine { #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0) }
    file = nil
    #expect(try openDescriptors().isEmpty)
  }

  /// The descriptors of this process that lead to `path`.
  func openDescriptors() throws -> [Int32] {
    let resolved = try #require(Folder.resolved(path))
    return try Folder.names(in: "/proc/self/fd").filter { Folder.resolved("/proc/self/fd/\($0)") == resolved }
      .compactMap { Int32($0) }
  }

  @Test func whatIsNoRegularFileIsRefused() throws {
    let pipe = "\(folder.path)/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    for path in [pipe, folder.path, "/dev/null"] {
      let failure = path == folder.path ? FileFailure.isAFolder : .notARegularFile
      #expect(throws: FileError(path: path, .reading, failure)) { _ = try MappedFile.open(path) }
    }
  }

  @Test func reasonsNameThePath() throws {
    let absent = "\(folder.path)/absent"
    let error = #expect(throws: FileError.self) { _ = try MappedFile.open(absent) }
    #expect(error?.description == "\(absent) cannot be read: there is no such file")
    #expect(throws: FileError.self) { _ = try MappedFile.open("a\0b") }
    #expect(throws: FileError.self) { _ = try MappedFile.open("") }
  }
}
