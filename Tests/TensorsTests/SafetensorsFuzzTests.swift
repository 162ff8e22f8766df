import Testing

@testable import Tensors

/// Damaged files must be refused or be valid; in no case may reading them trap, hang or take much memory.
@Suite struct SafetensorsFuzzTests {
  static let header =
    #"{"__metadata__":{"format":"pt","k":"v"},"w.1":{"dtype":"F16","shape":[3,4],"data_offsets":[0,24]},"#
    + #""w.2":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]},"n":{"dtype":"I64","shape":[],"data_offsets":[28,36]},"#
    + #""e":{"dtype":"F8_E4M3","shape":[0,7],"data_offsets":[36,36]},"q":{"dtype":"F8_E5M2","shape":[4],"#
    + #""data_offsets":[36,40]}}"#
  static let whole = SafetensorsFileTests.bytes(header, data: 40)

  /// Numbers from ``RandomKey``, one after another.
  struct Dice {
    let key: RandomKey
    var index = 0

    mutating func roll(_ bound: Int) -> Int {
      index += 1
      return key.integer(at: index, below: bound)
    }
  }

  static func mutate(_ bytes: [UInt8], _ dice: inout Dice) -> [UInt8] {
    var bytes = bytes
    let tokens = [
      "0", "-1", "9223372036854775807", "18446744073709551615", "1e9", "{", "}", "[", "]", ",", "\"", "\\u0000", "null",
      "\"F64\"", "\"U8\"", "4294967296", " ", "\u{E9}", "\"__metadata__\":",
    ].map { Array($0.utf8) }
    for _ in 0...dice.roll(3) {
      let place = dice.roll(bytes.count + 1)
      switch dice.roll(7) {
      case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(dice.roll(8))
      case 1 where place < bytes.count: bytes[place] = UInt8(dice.roll(256))
      case 2: bytes.insert(UInt8(dice.roll(256)), at: place)
      case 3: bytes.removeSubrange(place..<min(bytes.count, place + 1 + dice.roll(6)))
      case 4: bytes.replaceSubrange(place..<place, with: tokens[dice.roll(tokens.count)])
      case 5:
        // A digit becomes another, so that the document stays valid.
        let digits = bytes.indices.filter { $0 >= 8 && bytes[$0] >= 0x30 && bytes[$0] <= 0x39 }
        if !digits.isEmpty { bytes[digits[dice.roll(digits.count)]] = 0x30 + UInt8(dice.roll(10)) }
      default:
        let source = dice.roll(bytes.count + 1)
        let piece = bytes[source..<min(bytes.count, source + dice.roll(40))]
        bytes.replaceSubrange(place..<min(bytes.count, place + dice.roll(40)), with: Array(piece))
      }
      if bytes.isEmpty { return bytes }
    }
    // Mostly with the right length of the header again, so that the checks behind it are reached.
    if dice.roll(4) > 0, bytes.count >= 48 {
      let length = bytes.count - 48
      for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: length >> (8 * index)) }
    }
    return bytes
  }

  @Test(arguments: 0..<8) func mutatedFilesAreRefusedOrValid(seed: Int) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/fuzz.safetensors"
    var dice = Dice(key: RandomKey(seed: UInt64(seed), purpose: .test))
    var valid = 0
    for _ in 0..<1000 {
      let bytes = Self.mutate(Self.whole, &dice)
      try TestFiles.write(bytes, to: path)
      do {
        let file = try SafetensorsFile(path: path)
        valid += 1
        var total = 0
        for name in file.names {
          let tensor = try #require(file[name])
          total += tensor.byteCount
          if tensor.dtype.isFloatingPoint {
            #expect(try tensor.float32Values().count == tensor.elementCount)
          } else {
            _ = try? tensor.int64Values()
          }
          if let rows = tensor.shape.first { #expect(try tensor.rows(0..<rows).byteCount == tensor.byteCount) }
        }
        #expect(total == file.dataByteCount && total <= bytes.count)
      } catch let error as SafetensorsError {
        #expect(error.path == path && !error.description.contains("\n"))
      }
    }
    // Some must have survived, or the test would only ever look at the first check.
    #expect(valid > 5 && valid < 600)
  }
}
