/// Names one sequence of random numbers, and gives its numbers by their index.
///
/// There is no generator and no state: number n of a sequence is a function of the key and n. So it does not matter how
/// many numbers other layers have drawn, in which order, on which machine, or whether a step is computed twice after a
/// failure.
///
/// The fields go into key and counter of Philox4x32-10 side by side, each in bits of its own: the seed is the key; the
/// counter's words are (index / 4, row·2¹⁶ + purpose·2⁸ + stream, step, layer). Since Philox is a bijection of the counter
/// for each key, two sequences of one seed never share a block, and sequences of two seeds are unrelated.
public struct RandomKey: Sendable, Hashable {
  public var seed: UInt64
  public var purpose: RandomPurpose
  /// The step of the denoising, from 0.
  public var step: UInt32
  /// The layer, such as a block counted over the whole model.
  public var layer: UInt32
  /// Which token stream or stack of layers, for example 0 for the picture's and 1 for the text's.
  public var stream: UInt8
  /// Which row of a batch, for example the conditional and the unconditional half.
  public var row: UInt16

  /// The number of indices of a sequence.
  public static let indexLimit = 1 << 34

  public init(
    seed: UInt64, purpose: RandomPurpose, step: UInt32 = 0, layer: UInt32 = 0, stream: UInt8 = 0, row: UInt16 = 0
  ) {
    self.seed = seed
    self.purpose = purpose
    self.step = step
    self.layer = layer
    self.stream = stream
    self.row = row
  }

  /// 32 random bits. `index` must be in 0..<2³⁴.
  public func bits(at index: Int) -> UInt32 {
    block(index / 4)[index % 4]
  }

  /// Uniform in 0..<1, in steps of 2⁻²⁴.
  public func uniform(at index: Int) -> Float {
    Self.uniform(bits(at: index))
  }

  /// A whole number in 0..<bound, for a bound in 1...2³². The upper half of the product of the bits and the bound: one
  /// draw each, at the price that probabilities differ by at most one part in 2³² / bound.
  public func integer(at index: Int, below bound: Int) -> Int {
    precondition(bound >= 1 && bound <= 1 << 32, "a bound must be in 1...2^32")
    return Int((UInt64(bits(at: index)) * UInt64(bound)) >> 32)
  }

  /// The numbers ``uniform(at:)`` of a range of indices, at a quarter of the cost.
  public func uniforms(_ range: Range<Int>) -> [Float] {
    [Float](unsafeUninitializedCapacity: range.count) { buffer, count in
      fillUniform(UnsafeMutableBufferPointer(rebasing: buffer[..<range.count]), from: range.lowerBound)
      count = range.count
    }
  }

  /// Fills `buffer` with the numbers ``uniform(at:)`` from `index` on.
  public func fillUniform(_ buffer: UnsafeMutableBufferPointer<Float>, from index: Int = 0) {
    var place = 0
    while place < buffer.count {
      let words = block((index + place) / 4)
      for word in (index + place) % 4..<4 where place < buffer.count {
        buffer[place] = Self.uniform(words[word])
        place += 1
      }
    }
  }

  @inline(__always)
  private func block(_ number: Int) -> SIMD4<UInt32> {
    precondition(number >= 0 && number < Self.indexLimit / 4, "an index must be in 0..<2^34")
    return Philox.block(counter: counter(UInt32(number)), key: philoxKey)
  }

  var philoxKey: SIMD2<UInt32> {
    SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(seed >> 32))
  }

  func counter(_ block: UInt32) -> SIMD4<UInt32> {
    SIMD4(block, UInt32(row) << 16 | UInt32(purpose.rawValue) << 8 | UInt32(stream), step, layer)
  }

  @inline(__always)
  private static func uniform(_ bits: UInt32) -> Float { Float(bits >> 8) * 0x1p-24 }
}
