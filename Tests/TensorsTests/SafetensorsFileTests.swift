import Files
import Testing

@testable import Tensors

@Suite struct SafetensorsFileTests {
  let folder: TemporaryFolder
  var path: String { "\(folder.path)/a.safetensors" }

  init() throws { folder = try TemporaryFolder() }

  /// A file of a header and data, with the length in front.
  static func bytes(_ header: String, data: Int) -> [UInt8] {
    let header = Array(header.utf8)
    return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header
      + (0..<data).map { UInt8(truncatingIfNeeded: $0) }
  }

  func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
    try TestFiles.write(bytes, to: path)
    return try SafetensorsFile(path: path)
  }

  func open(_ header: String, data: Int) throws -> SafetensorsFile { try open(Self.bytes(header, data: data)) }

  /// What the file is refused for.
  func problem(_ header: String, data: Int) throws -> SafetensorsError.Problem? {
    do {
      _ = try open(header, data: data)
      return nil
    } catch let error as SafetensorsError {
      #expect(error.path == path && error.description.hasPrefix(path))
      return error.problem
    }
  }

  func entry(_ dtype: String, _ shape: String, _ begin: String, _ end: String) -> String {
    #"{"dtype":"\#(dtype)","shape":[\#(shape)],"data_offsets":[\#(begin),\#(end)]}"#
  }

  @Test func tensorsAreFoundWithTheirMetadata() throws {
    let file = try open(
      #"{"__metadata__":{"format":"pt"},"b":\#(entry("F32", "2,1", "0", "8")),"a":\#(entry("U8", "3", "8", "11"))}   "#,
      data: 11)
    #expect(file.names == ["b", "a"])
    #expect(file.metadata == ["format": "pt"])
    #expect(file.dataByteCount == 11)
    #expect(file["b"]?.shape == [2, 1] && file["b"]?.dtype == .float32)
    #expect(try file["a"]?.int64Values() == [8, 9, 10])
    #expect(file["c"] == nil)
  }

  @Test func theOrderOfTheHeaderNeedNotBeThatOfTheData() throws {
    let file = try open(#"{"a":\#(entry("U8", "1", "3", "4")),"b":\#(entry("U8", "3", "0", "3"))}"#, data: 4)
    #expect(file.names == ["b", "a"])
    #expect(try file["a"]?.int64Values() == [3])
  }

  @Test func emptyTensorsMayStandAnywhere() throws {
    let file = try open(
      #"{"z":\#(entry("F32", "0,4", "4", "4")),"a":\#(entry("F32", "", "0", "4")),"#
        + #""m":\#(entry("F16", "2", "4", "8")),"e":\#(entry("I8", "0", "8", "8")),"s":\#(entry("I8", "0", "0", "0"))}"#,
      data: 8)
    #expect(file.names == ["s", "a", "z", "m", "e"])
    #expect(try file["z"]?.float32Values() == [])
    #expect(file["z"]?.shape == [0, 4])
    #expect(try open("{}", data: 0).names.isEmpty)
  }

  @Test func anEmptyTensorInsideAnotherIsRefused() throws {
    let header = #"{"a":\#(entry("F32", "1", "0", "4")),"z":\#(entry("F32", "0", "2", "2"))}"#
    #expect(try problem(header, data: 4) == .overlap(begin: 2, expected: 4))
  }

  @Test func overlapsGapsAndUnclaimedBytesAreRefused() throws {
    func two(_ begin: Int, data: Int) throws -> SafetensorsError.Problem? {
      try problem(
        #"{"a":\#(entry("F32", "2", "0", "8")),"b":\#(entry("U8", "4", "\(begin)", "\(begin + 4)"))}"#, data: data)
    }
    #expect(try two(8, data: 12) == nil)
    #expect(try two(4, data: 8) == .overlap(begin: 4, expected: 8))
    #expect(try two(7, data: 11) == .overlap(begin: 7, expected: 8))
    #expect(try two(9, data: 13) == .gap(begin: 9, expected: 8))
    #expect(try two(8, data: 13) == .trailingBytes(1))
    #expect(try two(8, data: 5) == .truncated(missingBytes: 7))
    #expect(try problem(#"{"a":\#(entry("F32", "1", "4", "8"))}"#, data: 8) == .gap(begin: 4, expected: 0))
    #expect(try problem("{}", data: 1) == .trailingBytes(1))
  }

  @Test func shapesThatOverflowAreRefused() throws {
    let huge = "4294967296"
    #expect(
      try problem(#"{"a":\#(entry("F32", "\(huge),\(huge)", "0", "0"))}"#, data: 0)
        == .impossibleShape([1 << 32, 1 << 32]))
    // With a zero among them nothing is stored, but the other dimensions must be possible all the same.
    #expect(
      try problem(#"{"a":\#(entry("F32", "0,\(huge),\(huge)", "0", "0"))}"#, data: 0)
        == .impossibleShape([0, 1 << 32, 1 << 32]))
    #expect(
      try problem(#"{"a":\#(entry("F64", "2305843009213693952", "0", "0"))}"#, data: 0)
        == .impossibleShape([1 << 61]))
    #expect(try problem(#"{"a":\#(entry("U8", "-1", "0", "0"))}"#, data: 0) == .impossibleShape([-1]))
    #expect(try problem(#"{"a":\#(entry("U8", "-1,-1", "0", "1"))}"#, data: 1) == .impossibleShape([-1, -1]))
    let ones = [String](repeating: "1", count: 9).joined(separator: ",")
    #expect(try problem(#"{"a":\#(entry("U8", ones, "0", "1"))}"#, data: 1) == .rankTooLarge(9))
  }

  @Test func offsetsThatDoNotFitTheShapeAreRefused() throws {
    func one(_ begin: String, _ end: String) throws -> SafetensorsError.Problem? {
      try problem(#"{"a":\#(entry("F32", "2", begin, end))}"#, data: 8)
    }
    #expect(try one("0", "8") == nil)
    #expect(try one("0", "4") == .wrongLength(byteCount: 4, expected: 8))
    #expect(try one("8", "0") == .descendingOffsets(begin: 8, end: 0))
    #expect(try one("0", "9223372036854775807") == .wrongLength(byteCount: .max, expected: 8))
    for (begin, end) in [
      ("-8", "0"), ("0", "-8"), ("0.0", "8"), ("0", "8e0"), ("0", "\"8\""), ("0", "18446744073709551616"),
    ] {
      guard case .malformedHeader = try one(begin, end) else {
        Issue.record("offsets \(begin), \(end) were taken")
        continue
      }
    }
    // The last byte that a file may claim.
    let far = #"{"a":\#(entry("U8", "9223372036854775807", "0", "9223372036854775807"))}"#
    #expect(try problem(far, data: 8) == .truncated(missingBytes: .max - 8))
  }

  @Test func unknownTypesAreRefusedByName() throws {
    for name in ["F8_E8M0", "F4", "C64", "f32", ""] {
      #expect(try problem(#"{"a":\#(entry(name, "0", "0", "0"))}"#, data: 0) == .unknownDType(name))
    }
  }

  @Test(arguments: [
    "", "[]", " {}", "{", "{}x", "null", #"{"a":1}"#, #"{"a":{}}"#, #"{"a":null}"#,
    #"{"a":{"dtype":"F32","shape":[0]}}"#, #"{"a":{"dtype":"F32","data_offsets":[0,0]}}"#,
    #"{"a":{"shape":[0],"data_offsets":[0,0]}}"#, #"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}}"#,
    #"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}}"#,
    #"{"a":{"dtype":"U8","shape":0,"data_offsets":[0,0]}}"#,
    #"{"a":{"dtype":"U8","shape":[0.5],"data_offsets":[0,0]}}"#, #"{"a":{"dtype":1,"shape":[0],"data_offsets":[0,0]}}"#,
    #"{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
    #"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
    #"{"__metadata__":[]}"#, #"{"__metadata__":{"a":1}}"#, #"{"__metadata__":{"a":"","a":""}}"#,
    #"{"__metadata__":{},"__metadata__":{}}"#,
  ])
  func malformedHeadersAreRefused(header: String) throws {
    guard case .malformedHeader = try problem(header, data: 0) else {
      Issue.record("the header was taken or refused for another reason")
      return
    }
  }

  @Test func namesThatDifferOnlyInTheirEncodingAreRefused() throws {
    let empty = entry("U8", "0", "0", "0")
    #expect(try problem("{\"\u{E9}\":\(empty),\"e\u{301}\":\(empty)}", data: 0) == .duplicateName)
  }

  @Test func aBombOfBracketsIsRefused() throws {
    let depth = 100_000
    let bomb = #"{"a":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
    guard case .malformedHeader = try problem(bomb, data: 0) else {
      Issue.record("the bomb was taken")
      return
    }
  }

  @Test func absurdHeaderLengthsAreRefusedBeforeAnythingIsAllocated() throws {
    for length in [16 << 20 + 1, 1 << 62, .max, 0x7B22_3A22_6465_7461] as [UInt64] {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array("{}".utf8)
      #expect(
        throws: SafetensorsError(path: path, .headerTooLong(byteCount: length, limit: 16 << 20))
      ) { try open(bytes) }
    }
    let bytes = [0, 0, 0, 1, 0, 0, 0, 0] + Array("{}".utf8)
    #expect(throws: SafetensorsError(path: path, .truncated(missingBytes: 16 << 20 - 2))) { try open(bytes) }
  }

  @Test func aFileCutAnywhereIsRefusedAndSaysWhatIsMissing() throws {
    let header = #"{"a":\#(entry("F32", "2", "0", "8")),"b":\#(entry("U8", "5", "8", "13"))}"#
    let whole = Self.bytes(header, data: 13)
    #expect(try open(whole).names == ["a", "b"])
    for count in 0..<whole.count {
      let expected: SafetensorsError.Problem =
        if count < 8 {
          .tooShort(byteCount: count)
        } else if count < 8 + header.utf8.count {
          .truncated(missingBytes: 8 + header.utf8.count - count)
        } else {
          .truncated(missingBytes: whole.count - count)
        }
      #expect(throws: SafetensorsError(path: path, expected)) { try open(Array(whole[..<count])) }
    }
  }

  @Test func messagesNameFileAndTensorAndCannotForgeLines() throws {
    let header = #"{"evil\n\u001b[31mname":\#(entry("F4", "1", "0", "1"))}"#
    let error = #expect(throws: SafetensorsError.self) { try open(header, data: 1) }
    #expect(error?.description == "\(path): tensor evil\\u{a}\\u{1b}[31mname: the element type \"F4\" is not known")
  }

  @Test func filesThatAreNoFilesAreRefused() throws {
    #expect(throws: FileError.self) { try SafetensorsFile(path: "\(folder.path)/absent") }
    #expect(throws: FileError(path: folder.path, .reading, .isAFolder)) {
      try SafetensorsFile(path: folder.path)
    }
  }
}
