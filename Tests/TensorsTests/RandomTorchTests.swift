import StrictJSON
import Testing

@testable import Tensors

@Suite struct RandomTorchTests {
  /// One tensor that torch has drawn: the digest of its little-endian bytes.
  struct Golden: CustomTestStringConvertible {
    let dtype: String
    let seed: UInt64
    let count: Int
    let digest: String
    let beginning: [Double]
    let noise: TorchNoise

    var testDescription: String { "\(dtype) seed \(seed) × \(count), \(noise)" }

    static func all(_ file: String, _ noise: TorchNoise) throws -> [Golden] {
      let document = try JSONValue(parsing: TestFiles.read("\(TestFiles.fixtures)/random/\(file)"))
      return try #require(document.array).map { golden in
        Golden(
          dtype: try #require(golden["dtype"]?.string), seed: UInt64(try #require(golden["seed"]?.int)),
          count: try #require(golden["shape"]?.array).reduce(1) { $0 * ($1.int ?? 0) },
          digest: try #require(golden["sha256_le"]?.string),
          beginning: try #require(golden["first8"]?.array).compactMap(\.double), noise: noise)
      }
    }
  }

  @Test(arguments: try Golden.all("golden-torch2.13.0.json", .current) + Golden.all("golden-torch2.6.0.json", .legacy))
  func normalNumbersAreThoseOfTorchBitForBit(golden: Golden) throws {
    var generator = TorchGenerator(seed: golden.seed, noise: golden.noise)
    let bytes: [UInt8]
    let beginning: [Double]
    switch golden.dtype {
    case "float64":
      let values = generator.randnFloat64(golden.count)
      bytes = values.withUnsafeBytes { Array($0) }
      beginning = Array(values.prefix(8))
    case "float32":
      let values = generator.randn(golden.count)
      bytes = values.withUnsafeBytes { Array($0) }
      beginning = values.prefix(8).map(Double.init)
    default:
      let isBFloat = golden.dtype == "bfloat16"
      #expect(isBFloat || golden.dtype == "float16")
      let values = generator.randn(golden.count, as: isBFloat ? .bfloat16 : .float16)
      bytes = values.map { isBFloat ? $0.bfloat16Bits : $0.float16Bits }.withUnsafeBytes { Array($0) }
      beginning = values.prefix(8).map(Double.init)
    }
    #expect(beginning == golden.beginning)
    #expect(SHA256.digest(of: bytes).description == golden.digest)
  }

  static let seeds: [UInt64] = [0, 1, 42, 1_234_567, 1 << 31 - 1, 1 << 32 + 5]

  func reference() throws -> SafetensorsFile {
    try SafetensorsFile(path: "\(TestFiles.fixtures)/reference/out/unit_rng.safetensors")
  }

  func floats(_ name: String) throws -> [Float] { try #require(try reference()[name]).float32Values() }

  @Test(arguments: seeds) func uniformNumbersAreThoseOfTorch(seed: UInt64) throws {
    var generator = TorchGenerator(seed: seed)
    #expect(generator.rand(40) == (try floats("rand.seed\(seed).n40")))
  }

  @Test(arguments: seeds) func wholeNumbersAndPermutationsAreThoseOfTorch(seed: UInt64) throws {
    let file = try reference()
    var generator = TorchGenerator(seed: seed)
    #expect(generator.randint(0..<1000, 40) == (try #require(file["randint1000.seed\(seed).n40"]).int64Values()))
    generator = TorchGenerator(seed: seed)
    #expect(generator.randperm(20) == (try #require(file["randperm.seed\(seed).n20"]).int64Values()))
  }

  @Test(arguments: seeds, [1, 2, 5, 15, 16, 17, 24, 31, 37, 100])
  func shortNormalDrawsAreThoseOfTorch(seed: UInt64, count: Int) throws {
    var generator = TorchGenerator(seed: seed)
    #expect(generator.randn(count) == (try floats("randn.seed\(seed).n\(count)")))
  }

  @Test(arguments: seeds) func laterDrawsCarryOnWhereEarlierOnesEnded(seed: UInt64) throws {
    var generator = TorchGenerator(seed: seed)
    let latents = generator.randn(4 * 32 * 32)
    #expect(latents.prefix(64).elementsEqual(try floats("randn.seed\(seed).1x4x32x32.head64")))
    #expect(latents.suffix(64).elementsEqual(try floats("randn.seed\(seed).1x4x32x32.tail64")))
    #expect(generator.randn(37) == (try floats("randn.seed\(seed).then_n37")))
    // An odd small draw leaves a number over, which the next one begins with.
    #expect(generator.randn(5) == (try floats("randn.seed\(seed).then_n5")))
    #expect(generator.randn(3) == (try floats("randn.seed\(seed).then_n3")))
  }

  @Test(arguments: seeds) func otherTypesAreThoseOfTorch(seed: UInt64) throws {
    let file = try reference()
    let name = "randn_f64.seed\(seed).n37_f64"
    let stored = try #require(file[name])
    #expect(stored.dtype == .float64)
    let expected = stored.withBytes { bytes in
      (0..<37).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
    var generator = TorchGenerator(seed: seed)
    #expect(generator.randnFloat64(37) == expected)
    generator = TorchGenerator(seed: seed)
    #expect(generator.randn(40, as: .bfloat16) == (try floats("randn_bf16.seed\(seed).n40")))
  }

  @Test func onlyTheLowerHalfOfTheSeedCounts() {
    var one = TorchGenerator(seed: 42)
    var other = TorchGenerator(seed: 1 << 32 + 42)
    #expect(one.randn(100) == other.randn(100))
  }

  @Test func roundedFloat32NoiseIsTodaysBFloat16Noise() {
    var wide = TorchGenerator(seed: 7)
    var narrow = TorchGenerator(seed: 7)
    let rounded = wide.randn(4096).map { Float(bfloat16Bits: $0.bfloat16Bits) }
    #expect(narrow.randn(4096, as: .bfloat16) == rounded)
    // With a tail the narrow draw takes fewer numbers, so the two generators part.
    _ = wide.randn(20)
    _ = narrow.randn(20, as: .bfloat16)
    #expect(wide.rand(4) != narrow.rand(4))
  }

  @Test func wideRangesOfWholeNumbersTakeTwoWords() {
    var words = MersenneTwister(seed: 3)
    var generator = TorchGenerator(seed: 3)
    #expect(generator.randint(-5 << 40..<5 << 40, 1)[0] == Int64(words.next64() % (10 << 40)) - 5 << 40)
    #expect(generator.randint(0..<1 << 28, 1)[0] == Int64(words.next64() % (1 << 28)))
    #expect(generator.randint(0..<1 << 28 - 1, 1)[0] == Int64(words.next() % (1 << 28 - 1)))
    #expect(generator.randint(.min..<Int64.max, 1)[0] == .min &+ Int64(bitPattern: words.next64() % UInt64.max))
  }

  @Test func theEngineGivesTheWordsOfTheOriginalTwister() {
    // The 10 000th word of MT19937 with the seed 5489, as the C++ standard gives it (rand.predef).
    var twister = MersenneTwister(seed: 5489)
    for _ in 0..<9999 { _ = twister.next() }
    #expect(twister.next() == 4_123_659_995)
  }

  @Test func noNumbersCostNothing() {
    var generator = TorchGenerator(seed: 1)
    #expect(generator.randn(0).isEmpty && generator.rand(0).isEmpty && generator.randperm(0).isEmpty)
    var fresh = TorchGenerator(seed: 1)
    #expect(generator.rand(3) == fresh.rand(3))
  }
}
