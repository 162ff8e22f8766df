import Files
import Foundation
import Tensors
import Testing
import TorchFiles

/// Files of somebody who means harm: each is refused with a sentence, without a crash, a hang or much memory.
@Suite struct HostileTorchFileTests {
  private typealias Builder = TorchFileBuilder

  private func refuse(
    _ bytes: [UInt8], _ reason: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(bytes)
    let error = #expect(throws: FileError.self, sourceLocation: sourceLocation) { try TorchFile(path: path) }
    #expect(
      error?.description.contains(reason) == true, "\(String(describing: error))", sourceLocation: sourceLocation)
    #expect((error?.description.utf8.count ?? 0) < 700, sourceLocation: sourceLocation)
  }

  private func refuse(
    pickle: [UInt8], _ reason: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try refuse(Builder.file(pickle), reason, sourceLocation: sourceLocation)
  }

  @Test func whatIsBuiltHereIsReadIfItIsRight() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(Builder.file(Builder.dictionary(Builder.tensor(shape: [2, 3], strides: [3, 1]))))
    #expect(try TorchFile(path: path).tensors.map(\.shape) == [[2, 3]])
  }

  @Test(arguments: [
    ("posix", "system"), ("builtins", "eval"), ("__builtin__", "getattr"), ("torch", "load"), ("torch", "Tensor"),
    ("torch.hub", "load"), ("torch._utils", "_rebuild_tensor_v3"), ("collections", "defaultdict"),
    ("os", "system\u{1B}"),
  ])
  func noOtherNameIsAnswered(module: String, name: String) throws {
    let call = Builder.global(module, name) + Builder.text("ls") + [0x85, UInt8(ascii: "R")]
    try refuse(pickle: Builder.dictionary(call), module)
    let onStack = Builder.text(module) + Builder.text(name) + [0x93, UInt8(ascii: ")"), UInt8(ascii: "R")]
    try refuse(pickle: Builder.dictionary(onStack), module)
  }

  @Test(
    arguments: Array("obiOdlL1023IFSPBC\u{81}\u{82}\u{8B}\u{8E}\u{92}\u{98}".unicodeScalars.map { UInt8($0.value) }))
  func instructionsThatTensorsDoNotNeedAreRefused(code: UInt8) throws {
    try refuse(pickle: Builder.dictionary([code] + [UInt8](repeating: 0, count: 20)), "its pickle")
  }

  @Test func tensorsOutsideOfTheirStorageAreRefused() throws {
    for (offset, shape, strides) in [
      (0, [7], [1]), (1, [6], [1]), (6, [1], [1]), (-1, [1], [1]), (0, [2, 3], [3, 2]), (0, [-1], [1]), (0, [2], [-1]),
      (0, [1 << 62, 4], [1, 1]), (0, [1 << 40], [1 << 40]), (0, [1 << 62], [0]), (Int.max, [2], [1]), (0, [3], []),
      (0, [7], [0]), (0, [1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1]), (7, [0], [1]),
    ] as [(Int, [Int], [Int])] {
      let tensor = Builder.tensor(offset: offset, shape: shape, strides: strides)
      try refuse(pickle: Builder.dictionary(tensor), "does not lie within")
    }
  }

  @Test func storagesThatTheFileDoesNotHoldAreRefused() throws {
    for (key, count, type) in [
      ("1", 6, "FloatStorage"), ("../../etc/passwd", 6, "FloatStorage"), ("0", 7, "FloatStorage"),
      ("0", 1 << 61, "ByteStorage"), ("0", 4, "DoubleStorage"), ("", 1, "ByteStorage"),
    ] {
      let tensor = Builder.tensor(key: key, count: count, shape: [count], strides: [1], type: type)
      try refuse(pickle: Builder.dictionary(tensor), "than the file holds")
    }
    try refuse(
      pickle: Builder.dictionary(Builder.tensor(shape: [1], strides: [1], type: "QInt8Storage")), "QInt8Storage")
    try refuse(
      pickle: Builder.dictionary(Builder.tensor(count: -1, shape: [1], strides: [1])), "storage")
  }

  /// Its strides go on as those of elements that stand one behind the other, up to a product beyond 64 bits.
  @Test func aTensorWithoutElementsWhoseSizesOverflowIsRefused() throws {
    let tensor = Builder.tensor(shape: [0, 2, 1 << 31, 1 << 31], strides: [1, 1 << 62, 1 << 31, 1])
    try refuse(pickle: Builder.dictionary(tensor), "a tensor that cannot be")
  }

  /// Each would take a hundred times its one byte.
  @Test(arguments: [[UInt8(ascii: "N")], [0x94]]) func instructionsAreCounted(_ code: [UInt8]) throws {
    let codes = [UInt8](repeating: code[0], count: 3_000_000)
    try refuse(pickle: Builder.dictionary([UInt8(ascii: "N")] + codes), "instructions")
  }

  @Test func nestingAndSharingAreLimited() throws {
    let deep = [UInt8](repeating: 0x85, count: 900_000)
    try refuse(pickle: Builder.dictionary([UInt8(ascii: ")")] + deep), "inside one another")
    try refuse(pickle: Builder.dictionary([UInt8](repeating: UInt8(ascii: "]"), count: 2_000_000)), "lists")
    try refuse(pickle: Builder.dictionary([UInt8](repeating: UInt8(ascii: "("), count: 2_000_000)), "its pickle")
    // A dictionary that holds itself.
    try refuse(
      pickle: [0x80, 2, UInt8(ascii: "}"), UInt8(ascii: "q"), 0] + Builder.text("a") + Array("h\0s.".utf8),
      "inside one another")
    // Ten times the list before, ten levels high.
    var code: [UInt8] = [UInt8(ascii: "]"), UInt8(ascii: "q"), 0]
    for level in UInt8(1)...10 {
      code += Array("](".utf8) + (0..<10).flatMap { _ in [UInt8(ascii: "h"), level - 1] }
      code += [UInt8(ascii: "e"), UInt8(ascii: "q"), level, UInt8(ascii: "q"), level]
    }
    try refuse(pickle: [0x80, 2] + Array("}".utf8) + Builder.text("a") + code + Array("s.".utf8), "its pickle")
    // One storage under very many names would be much more than the file.
    let names = (0..<40_000).flatMap { Builder.text("n\($0)") + [UInt8(ascii: "h"), 1] }
    let large = Builder.tensor(key: "1", count: 1 << 14, shape: [1 << 14], strides: [1])
    let pickle =
      [0x80, 2] + Array("}".utf8) + Builder.text("a") + large + Array("q\u{1}s(".utf8) + names + Array("u.".utf8)
    try refuse(
      Builder.zip([("x/data.pkl", pickle), ("x/data/1", [UInt8](repeating: 0, count: 4 << 14))]), "many times more")
  }

  @Test func damagedPicklesAreRefused() throws {
    for pickle in [
      [], [0x80], [0x80, 9, UInt8(ascii: ".")], Array(".".utf8), Array("}}.".utf8), Array("}.}".utf8),
      Array("(}.".utf8),
      Array("t.".utf8), Array("u.".utf8), Array("}su.".utf8), Array("a.".utf8), Array("h\u{7}.".utf8),
      Array("q\0.".utf8),
      Array("N.".utf8), Array("].".utf8), Array("X\u{7F}\u{7F}\u{7F}\u{7F}.".utf8),
      [UInt8(ascii: "X"), 255, 255, 255, 255],
      [0x8A, 255], [0x95, 1], [UInt8(ascii: "X"), 1, 0, 0, 0, 0xFF, UInt8(ascii: ".")], Array("R.".utf8),
      Array("NQ.".utf8), Array("}N)R.".utf8), Array("cab".utf8), Array("}NNs.".utf8), Array("]Nb.".utf8),
      Builder.dictionary(Builder.tensor(shape: [1], strides: [1]) + Builder.tensor(shape: [1], strides: [1])),
      Builder.dictionary(Builder.global("torch", "FloatStorage") + Array(")R".utf8)),
    ] as [[UInt8]] {
      try refuse(pickle: pickle, "its pickle")
    }
  }

  @Test func filesThatTorchDoesNotWriteAreRefused() throws {
    let pickle = Builder.dictionary(Builder.tensor(shape: [6], strides: [1]))
    let data = [UInt8](repeating: 0, count: 24)
    try refuse([], "no zip file")
    try refuse(Array("PK\u{3}\u{4}".utf8), "zip")
    try refuse(Builder.zip([("x/data.pkl", pickle), ("x/data/0", data)], method: 8), "compressed")
    try refuse(Builder.zip([("x/other", pickle)]), "data.pkl")
    try refuse(Builder.zip([("x/data.pkl", pickle), ("y/data.pkl", pickle), ("x/data/0", data)]), "data.pkl")
    try refuse(Builder.zip([("x/data.pkl", pickle), ("x/data.pkl", pickle)]), "two entries")
    try refuse(
      Builder.zip([("x/data.pkl", pickle), ("x/byteorder", Array("big".utf8)), ("x/data/0", data)]), "big-endian")
    let whole = Builder.file(pickle)
    for count in 0..<whole.count { try refuse(Array(whole.prefix(count)), "zip file") }
  }

  @Test(arguments: 0..<12) func mutatedFilesAreRefusedOrValid(seed: Int) throws {
    let folder = try TemporaryFolder()
    let names = ["checkpoint.pt", "linear.pt", "protocol4.pt"]
    let original = try [UInt8](
      Data(contentsOf: URL(filePath: "\(TorchFileTests.fixtures)/\(names[seed % names.count])")))
    let key = RandomKey(seed: UInt64(seed), purpose: .test)
    var index = 0
    func roll(_ bound: Int) -> Int {
      index += 1
      return key.integer(at: index, below: bound)
    }
    // The pickle stands at the beginning, the directory at the end.
    let pickle = 60..<min(1600, original.count)
    let codes = Array("(])}tueasqhjrRQbKMJGXcN.0\u{7F}".utf8)
    for _ in 0..<400 {
      var bytes = original
      for _ in 0...roll(4) {
        let place = roll(3) > 0 ? pickle.lowerBound + roll(pickle.count) : roll(bytes.count)
        guard place < bytes.count else { continue }
        switch roll(4) {
        case 0: bytes[place] ^= 1 << UInt8(roll(8))
        case 1: bytes[place] = UInt8(roll(256))
        case 2: bytes[place] = codes[roll(codes.count)]
        default:
          let source = roll(bytes.count)
          for offset in 0..<min(1 + roll(12), bytes.count - max(place, source)) {
            bytes[place + offset] = bytes[source + offset]
          }
        }
      }
      do {
        let file = try TorchFile(path: folder.file(bytes))
        for tensor in file.tensors { #expect(tensor.withBytes { $0.count } == tensor.byteCount) }
      } catch let error as FileError {
        #expect(error.description.utf8.count < 2000)
      }
    }
  }
}
