import Glibc

/// The random numbers of torch's generator for CPUs, so that a seed gives the picture that it gives with diffusers.
///
/// Bit-exact with torch on x86 processors with AVX2 or AVX-512, for contiguous tensors; torch elsewhere uses the C
/// library's logarithm and sine for float32 and differs by at most 3e-6. A call's numbers depend on its count, not only
/// on the state: the first numbers of a longer call are not those of a shorter one. Several calls on one generator carry
/// on from one another as in torch.
///
/// Source: ATen's CPUGeneratorImpl, DistributionTemplates.h and DistributionsHelper.h; each function names its rule.
public struct TorchGenerator: Sendable {
  var engine: MersenneTwister
  /// Whether bfloat16 and float16 numbers are those of today's torch or of older ones.
  public let noise: TorchNoise
  /// The second number of the last pair of the small path of ``randn(_:as:)``, if it has not been used yet.
  private var pending: Double?

  /// Like `torch.Generator().manual_seed(seed)`. Only the lower 32 bits of the seed count: 42 and 2³² + 42 are the same.
  /// A negative seed of Python is passed as `UInt64(bitPattern:)`.
  public init(seed: UInt64, noise: TorchNoise = .current) {
    engine = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
    self.noise = noise
  }

  /// `torch.rand(count)`: uniform in 0..<1, in steps of 2⁻²⁴.
  public mutating func rand(_ count: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      fillUniform(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
  }

  /// `torch.randint(range.lowerBound, range.upperBound, (count,))`: a word modulo the number of values. From 2²⁸ values
  /// on it takes two words, as today's torch does; older ones begin to do so at 2³².
  public mutating func randint(_ range: Range<Int64>, _ count: Int) -> [Int64] {
    let (width, _) = UInt64(bitPattern: range.upperBound).subtractingReportingOverflow(
      UInt64(bitPattern: range.lowerBound))
    precondition(width > 0, "there is no whole number in an empty range")
    return (0..<count).map { _ in
      let word = width < 1 << 28 ? UInt64(engine.next()) : engine.next64()
      return range.lowerBound &+ Int64(bitPattern: word % width)
    }
  }

  /// `torch.randperm(count)`: swaps each place with one from there on. `count` must be below 2³² / 20; torch draws more
  /// bits for longer permutations.
  public mutating func randperm(_ count: Int) -> [Int64] {
    precondition(count < Int(UInt32.max / 20), "the permutation is too long")
    var values = (0..<Int64(count)).map { $0 }
    for place in 0..<max(0, count - 1) {
      values.swapAt(place, place + Int(engine.next()) % (count - place))
    }
    return values
  }

  /// `torch.randn(count, dtype=torch.float64)`. Uses the C library's functions, so the last bit is that of its version.
  public mutating func randnFloat64(_ count: Int) -> [Double] {
    guard count >= 16 else { return (0..<count).map { _ in nextNormal() } }
    return [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
      for index in 0..<count { buffer[index] = uniform64() }
      initialized = count
      for begin in stride(from: 0, through: count - 16, by: 16) { Self.boxMuller64(buffer.baseAddress, at: begin) }
      if count % 16 != 0 {
        for index in count - 16..<count { buffer[index] = uniform64() }
        Self.boxMuller64(buffer.baseAddress, at: count - 16)
      }
    }
  }

  /// A normal number of the small path (fewer than 16 at once): Box-Muller in float64, whose second number is kept for
  /// the next such call.
  mutating func nextNormal() -> Double {
    if let value = pending {
      pending = nil
      return value + 0
    }
    let first = uniform64()
    let second = uniform64()
    let radius = (-2 * log1p(-second)).squareRoot()
    let angle = 2 * Double.pi * first
    pending = radius * sin(angle)
    return radius * cos(angle) + 0
  }

  @inline(__always)
  mutating func fillUniform(_ buffer: UnsafeMutableBufferPointer<Float>) {
    engine.fill(buffer) { Float($0 & 0xFF_FFFF) * 0x1p-24 }
  }

  /// Uniform in 0..<1, in steps of 2⁻⁵³.
  private mutating func uniform64() -> Double {
    Double(engine.next64() & (1 << 53 - 1)) * 0x1p-53
  }

  private static func boxMuller64(_ numbers: UnsafeMutablePointer<Double>?, at begin: Int) {
    guard let numbers = numbers?.advanced(by: begin) else { return }
    for index in 0..<8 {
      let radius = (-2 * log(1 - numbers[index])).squareRoot()
      let angle = 2 * Double.pi * numbers[index + 8]
      numbers[index] = radius * cos(angle) + 0
      numbers[index + 8] = radius * sin(angle) + 0
    }
  }
}
