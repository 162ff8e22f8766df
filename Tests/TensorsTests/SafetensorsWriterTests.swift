import Files
import Testing

@testable import Tensors

@Suite struct SafetensorsWriterTests {
  let folder: TemporaryFolder
  var path: String { "\(folder.path)/out.safetensors" }

  init() throws { folder = try TemporaryFolder() }

  @Test func whatWasWrittenIsReadBack() throws {
    var tensors: [StoredTensor] = []
    for (number, dtype) in DType.allCases.enumerated() {
      let bytes = (0..<3 * dtype.byteCount).map { UInt8(number * 7 + $0) }
      tensors.append(try StoredTensor(name: "t.\(number)", dtype: dtype, shape: [3, 1], bytes: bytes))
    }
    tensors.append(try StoredTensor(name: "scalar \"é\"\n", shape: [], values: [4]))
    tensors.append(try StoredTensor(name: "empty", shape: [0, 5], values: []))
    try SafetensorsWriter.write(tensors, metadata: ["format": "pt", "note": "a \\ b"], to: path)
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == ["format": "pt", "note": "a \\ b"])
    #expect(file.names.count == tensors.count)
    for tensor in tensors {
      let read = try #require(file[tensor.name])
      #expect(read.dtype == tensor.dtype && read.shape == tensor.shape)
      #expect(read.withBytes { Array($0) } == tensor.withBytes { Array($0) })
    }
  }

  @Test func tensorsAreAlignedToTheirElements() throws {
    let tensors = [
      try StoredTensor(name: "byte", dtype: .uint8, shape: [3], bytes: [1, 2, 3]),
      try StoredTensor(name: "half", dtype: .float16, shape: [1], bytes: [0, 0]),
      try StoredTensor(name: "single", shape: [1], values: [1]),
      try StoredTensor(name: "double", dtype: .float64, shape: [1], bytes: [UInt8](repeating: 0, count: 8)),
    ]
    try SafetensorsWriter.write(tensors, to: path)
    #expect(try SafetensorsFile(path: path).names == ["double", "single", "half", "byte"])
    let bytes = try TestFiles.read(path)
    #expect(bytes[0] % 8 == 0 && bytes.count == 8 + Int(bytes[0]) + Int(bytes[1]) * 256 + 17)
  }

  @Test func theSameTensorsGiveTheSameBytes() throws {
    let tensors = try (0..<20).map { try StoredTensor(name: "\($0)", shape: [1], values: [Float($0)]) }
    let metadata = Dictionary(uniqueKeysWithValues: (0..<20).map { ("\($0)", "x") })
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
    let first = try TestFiles.read(path)
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
    #expect(try TestFiles.read(path) == first)
  }

  @Test func aFailedWriteLeavesTheOldFileAndNothingElse() throws {
    let one = try StoredTensor(name: "a", shape: [1], values: [1])
    try SafetensorsWriter.write([one], to: path)
    let before = try TestFiles.read(path)
    #expect(throws: SafetensorsError(path: path, tensor: "a", .unwritable("the name is taken"))) {
      try SafetensorsWriter.write([one, one], to: path)
    }
    #expect(try TestFiles.read(path) == before)
    #expect(try Folder.names(in: folder.path) == ["out.safetensors"])
    let blocked = try self.folder.folder("taken")
    #expect(throws: FileError.self) { try SafetensorsWriter.write([one], to: blocked) }
    #expect(throws: FileError.self) { try SafetensorsWriter.write([one], to: "\(folder.path)/absent/x") }
    #expect(try Folder.names(in: folder.path) == ["out.safetensors", "taken"])
  }

  @Test func aFileMayBeReplacedWhileItsTensorsAreInUse() throws {
    try SafetensorsWriter.write([try StoredTensor(name: "a", shape: [2], values: [1, 2])], to: path)
    let old = try #require(try SafetensorsFile(path: path)["a"])
    try SafetensorsWriter.write([try old.rows(1..<2)], to: path)
    #expect(try old.float32Values() == [1, 2])
    #expect(try SafetensorsFile(path: path)["a"]?.float32Values() == [2])
  }

  @Test func whatTheFormatCannotHoldIsRefused() throws {
    let reserved = try StoredTensor(name: "__metadata__", shape: [1], values: [1])
    #expect(throws: SafetensorsError.self) { try SafetensorsWriter.write([reserved], to: path) }
    let deep = try StoredTensor(name: "a", shape: [1, 1, 1, 1, 1, 1, 1, 1, 1], values: [1])
    #expect(throws: SafetensorsError(path: path, tensor: "a", .rankTooLarge(9))) {
      try SafetensorsWriter.write([deep], to: path)
    }
  }
}
