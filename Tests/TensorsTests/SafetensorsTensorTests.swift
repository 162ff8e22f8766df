import Testing

@testable import Tensors

@Suite struct SafetensorsTensorTests {
  func tensor(_ dtype: DType, _ shape: [Int], _ bytes: [UInt8]) throws -> StoredTensor {
    try StoredTensor(name: "t", dtype: dtype, shape: shape, bytes: bytes)
  }

  func values<Bits: FixedWidthInteger>(_ dtype: DType, _ bits: [Bits]) throws -> [Float] {
    try tensor(dtype, [bits.count], bits.map(\.littleEndian).withUnsafeBytes { Array($0) }).float32Values()
  }

  @Test func everyHalfPrecisionNumberIsConvertedExactly() throws {
    let bits = Array(UInt16.min ... .max)
    for (bits, value) in zip(bits, try values(.float16, bits)) {
      let expected = Float(Float16(bitPattern: bits))
      #expect(value.isNaN ? expected.isNaN : value.bitPattern == expected.bitPattern)
    }
  }

  @Test func everyBFloat16IsTheUpperHalfOfItsValue() throws {
    let bits = Array(UInt16.min ... .max)
    let expected = bits.map { UInt32($0) << 16 }
    #expect(try values(.bfloat16, bits).map(\.bitPattern) == expected)
  }

  @Test func everyE4M3NumberFollowsItsDefinition() throws {
    for (bits, value) in zip(UInt8.min ... .max, try values(.float8E4M3, Array(UInt8.min ... .max))) {
      let exponent = Int(bits >> 3 & 15)
      let fraction = Float(bits & 7) / 8
      let size =
        exponent == 0
        ? Float(sign: .plus, exponent: -6, significand: fraction)
        : Float(sign: .plus, exponent: exponent - 7, significand: 1 + fraction)
      if bits & 0x7F == 0x7F {
        #expect(value.isNaN)
      } else {
        #expect(value == (bits & 0x80 == 0 ? size : -size) && (value.sign == .minus) == (bits & 0x80 != 0))
      }
    }
    #expect(try values(.float8E4M3, [0x7E, 0x01, 0x38, 0x80] as [UInt8]) == [448, 0x1p-9, 1, -0.0])
  }

  @Test func everyE5M2NumberIsAHalfWithoutItsLowerByte() throws {
    for (bits, value) in zip(UInt8.min ... .max, try values(.float8E5M2, Array(UInt8.min ... .max))) {
      let expected = Float(Float16(bitPattern: UInt16(bits) << 8))
      #expect(value.isNaN ? expected.isNaN : value.bitPattern == expected.bitPattern)
    }
  }

  @Test func narrowingRoundsToTheNearestAndTiesToEven() {
    let key = RandomKey(seed: 5, purpose: .test)
    for index in 0..<300_000 {
      // All bit patterns first, then those in the range of halves.
      var bits = key.bits(at: index)
      if index > 100_000 { bits = bits & 0x87FF_FFFF | 0x3000_0000 | bits & 0x0800_0000 }
      let value = Float(bitPattern: bits)
      let half = Float16(value)
      #expect(half.isNaN ? Float16(bitPattern: value.float16Bits).isNaN : half.bitPattern == value.float16Bits)
    }
    for bits in UInt16.min..<0x7C00 {
      let below = Float(float16Bits: bits)
      let above = bits + 1 == 0x7C00 ? 65536 : Float(float16Bits: bits + 1)
      let middle = (below + above) / 2
      #expect(below.float16Bits == bits && (-below).float16Bits == bits | 0x8000)
      #expect(middle.float16Bits == bits + bits % 2)
      #expect(middle.nextDown.float16Bits == bits && middle.nextUp.float16Bits == bits + 1)
    }
    for bits in UInt16.min..<0x7F80 {
      let value = Float(bfloat16Bits: bits)
      let middle = Float(bitPattern: UInt32(bits) << 16 | 0x8000)
      #expect(value.bfloat16Bits == bits && (-value).bfloat16Bits == bits | 0x8000)
      #expect(middle.bfloat16Bits == bits + bits % 2)
      #expect(middle.nextDown.bfloat16Bits == bits && middle.nextUp.bfloat16Bits == bits + 1)
    }
    #expect(Float(bfloat16Bits: Float.nan.bfloat16Bits).isNaN)
    #expect(Float(bfloat16Bits: Float(bitPattern: 0x7F80_0001).bfloat16Bits).isNaN)
    #expect(Float.infinity.bfloat16Bits == 0x7F80 && Float.infinity.float16Bits == 0x7C00)
  }

  @Test func wideFloatsKeepOrRoundTheirValue() throws {
    #expect(try values(.float32, [Float.pi, -0.0, .infinity].map(\.bitPattern)) == [.pi, -0.0, .infinity])
    let doubles = [Double.pi, 1e300, 0x1p-149, -2.5]
    #expect(try values(.float64, doubles.map(\.bitPattern)) == [3.1415927, .infinity, 0x1p-149, -2.5])
  }

  @Test func aPartIsConvertedIntoTheCallersBuffer() throws {
    let tensor = try StoredTensor(name: "t", shape: [2, 3], values: [1, 2, 3, 4, 5, 6])
    var buffer: [Float] = [9, 9, 9, 9]
    try buffer.withUnsafeMutableBufferPointer { try tensor.convertToFloat32(elements: 2..<5, into: $0) }
    #expect(buffer == [3, 4, 5, 9])
    try buffer.withUnsafeMutableBufferPointer { try tensor.convertToFloat32(elements: 6..<6, into: $0) }
    for range in [4..<7, -1..<1, 0..<5] {
      #expect(throws: TensorError.self) {
        try buffer.withUnsafeMutableBufferPointer { try tensor.convertToFloat32(elements: range, into: $0) }
      }
    }
    #expect(buffer == [3, 4, 5, 9])
  }

  @Test func zerosOfAnyShapeTakeNoMemoryAndReadAsZeros() throws {
    let tensor = try StoredTensor(name: "w", zerosOfShape: [1 << 16, 1 << 16])
    #expect(tensor.byteCount == 1 << 34)
    #expect(try Tensor(tensor.rows(9..<11).reshaped([1 << 17])).elements.allSatisfy { $0 == 0 })
    #expect(try Tensor(StoredTensor(name: "w", zerosOfShape: [0, 3])).count == 0)
    #expect(throws: TensorError.self) { try StoredTensor(name: "w", zerosOfShape: [1 << 62, 1 << 62]) }
  }

  @Test func wholeNumbersOfEveryWidthAreRead() throws {
    #expect(try tensor(.int8, [2], [0xFF, 0x7F]).int64Values() == [-1, 127])
    #expect(try tensor(.uint8, [2], [0xFF, 0x7F]).int64Values() == [255, 127])
    #expect(try tensor(.int16, [1], [0xFE, 0xFF]).int64Values() == [-2])
    #expect(try tensor(.uint16, [1], [0xFE, 0xFF]).int64Values() == [65534])
    #expect(try tensor(.int32, [1], [1, 0, 0, 0x80]).int64Values() == [-2_147_483_647])
    #expect(try tensor(.uint32, [1], [1, 0, 0, 0x80]).int64Values() == [2_147_483_649])
    #expect(try tensor(.int64, [], [0, 0, 0, 0, 0, 0, 0, 0x80]).int64Values() == [.min])
    #expect(try tensor(.uint64, [1], [2, 0, 0, 0, 0, 0, 0, 0]).int64Values() == [2])
    #expect(try tensor(.bool, [3], [0, 1, 2]).int64Values() == [0, 1, 1])
    #expect(throws: TensorError(tensor: "t", reason: "holds a number that is larger than 9223372036854775807")) {
      try tensor(.uint64, [1], [0, 0, 0, 0, 0, 0, 0, 0x80]).int64Values()
    }
  }

  @Test func kindsOfNumbersAreNotMixedUp() throws {
    #expect(throws: TensorError(tensor: "t", reason: "holds I8, but floating-point numbers were asked for")) {
      try tensor(.int8, [1], [1]).float32Values()
    }
    #expect(throws: TensorError(tensor: "t", reason: "holds F16, but whole numbers were asked for")) {
      try tensor(.float16, [1], [0, 0]).int64Values()
    }
  }

  @Test func rowsShareTheBytes() throws {
    let fused = try StoredTensor(name: "qkv", shape: [6, 2], values: (0..<12).map(Float.init))
    let keys = try fused.rows(2..<4)
    #expect(keys.shape == [2, 2] && keys.name == "qkv")
    #expect(try keys.float32Values() == [4, 5, 6, 7])
    #expect(try keys.rows(1..<2).float32Values() == [6, 7])
    #expect(try fused.rows(6..<6).float32Values().isEmpty)
    #expect(try fused.reshaped([3, 4]).rows(2..<3).float32Values() == [8, 9, 10, 11])
    for range in [5..<7, -1..<2] { #expect(throws: TensorError.self) { try fused.rows(range) } }
    #expect(throws: TensorError.self) { try fused.reshaped([5, 2]) }
    #expect(throws: TensorError.self) { try StoredTensor(name: "s", shape: [], values: [1]).rows(0..<1) }
    #expect(try StoredTensor(name: "e", shape: [0, 3], values: []).rows(0..<0).shape == [0, 3])
    #expect(try StoredTensor(name: "e", shape: [4, 0], values: []).rows(1..<3).shape == [2, 0])
  }

  @Test func bytesMustBeAsManyAsTheShapeTakes() {
    for (shape, count) in [([2], 7), ([2], 9), ([], 0), ([0], 1), ([-1], 4), ([1 << 62], 0), ([1 << 32, 1 << 32], 0)] {
      #expect(throws: TensorError.self) { try tensor(.float32, shape, [UInt8](repeating: 0, count: count)) }
    }
  }

  @Test func unalignedTensorsAreReadAsWell() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/odd"
    for offset in 0..<8 {
      try TestFiles.write([UInt8](repeating: 7, count: offset) + [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 0], to: path)
      let file = try MappedFile.open(path)
      let single = try StoredTensor(name: "t", dtype: .float32, shape: [2], file: file, offset: offset)
      #expect(try single.float32Values() == [1, -2])
      let half = try StoredTensor(name: "t", dtype: .bfloat16, shape: [4], file: file, offset: offset)
      #expect(try half.float32Values() == [0, 1, 0, -2])
      #expect(throws: TensorError.self) {
        try StoredTensor(name: "t", dtype: .float32, shape: [3], file: file, offset: offset)
      }
    }
  }

  @Test func everyTypeHasItsNameAndWidth() {
    let widths = [
      "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
      "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
    ]
    #expect(DType.allCases.count == widths.count)
    for (name, width) in widths { #expect(DType(rawValue: name)?.byteCount == width) }
  }
}
