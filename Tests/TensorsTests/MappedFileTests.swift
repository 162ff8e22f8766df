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

  @Test(arguments: [Precision.bfloat16, .int8], [false, true])
  func aMatrixLeavesNothingOfItsFileInMemory(precision: Precision, isStreamed: Bool) throws {
    let shape = [512, 1024]
    let values = (0..<shape[0] * shape[1]).map { Float($0 % 251) }
    try SafetensorsWriter.write([StoredTensor(name: "w", shape: shape, values: values)], to: path)
    let stored = try #require(try SafetensorsFile(path: path)["w"])
    #expect(try stored.float32Values() == values)
    #expect(try residentBytes() >= stored.byteCount)
    let matrix =
      try isStreamed
      ? WeightMatrix(streaming: stored, precision: precision) : WeightMatrix(joining: [stored], precision: precision)
    _ = Linear(weight: matrix, bias: nil)(Tensor(zeros: [1, 1024]))
    // Its first and its last page may hold something else too.
    #expect(try residentBytes() <= 2 * Int(getpagesize()))
  }

  /// How much of the mapped file counts as memory of this process.
  private func residentBytes() throws -> Int {
    let mapped = try #require(Folder.resolved(path))
    let file = try #require(fopen("/proc/self/smaps", "re"))
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 8192)
    var isOurs = false
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let words = text.split { $0 == " " || $0 == "\n" }
      // A mapping's first line ends with its file; what it takes is said in those that follow.
      if words.last.map(String.init) == mapped { isOurs = true }
      if isOurs, words.first == "Rss:" { return try #require(Int(words[1])) * 1024 }
    }
    throw FileError(path: path, reason: "is not mapped")
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
