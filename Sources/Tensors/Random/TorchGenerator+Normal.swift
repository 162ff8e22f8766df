import Glibc

/// Normal numbers of 32 bits and fewer.
///
/// Sixteen or more are made in blocks of sixteen uniform numbers d: for j < 8, d[j] and d[j + 8] become
/// √(−2 ln(1 − d[j])) times the cosine and the sine of 2π·d[j + 8]. If the count is no multiple of sixteen, sixteen fresh
/// uniform numbers replace the last sixteen values, finished ones among them (`normal_fill` in DistributionTemplates.h).
extension TorchGenerator {
  /// `torch.randn(count, dtype=format)`; for a shape, the count is the product of its dimensions.
  public mutating func randn(_ count: Int, as format: NoiseFormat = .float32) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      randn(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]), as: format)
      initialized = count
    }
  }

  /// Fills `buffer` with `torch.randn(buffer.count, dtype=format)`.
  public mutating func randn(into buffer: UnsafeMutableBufferPointer<Float>, as format: NoiseFormat = .float32) {
    guard buffer.count >= 16 else {
      // Float64 becomes a narrow format by way of float32, in torch too.
      for index in buffer.indices { buffer[index] = format.round(Float(nextNormal())) }
      return
    }
    switch (format, noise) {
    case (.float32, _): fillNormal(buffer)
    case (_, .current): fillNarrowNormal(buffer, format)
    case (_, .legacy): fillLegacyNormal(buffer, format)
    }
  }

  /// All uniform numbers first, then the blocks.
  private mutating func fillNormal(_ buffer: UnsafeMutableBufferPointer<Float>) {
    fillUniform(buffer)
    for begin in stride(from: 0, through: buffer.count - 16, by: 16) {
      Self.boxMuller(Self.block(buffer, begin))
    }
    if buffer.count % 16 != 0 {
      let last = Self.block(buffer, buffer.count - 16)
      fillUniform(last)
      Self.boxMuller(last)
    }
  }

  /// Sixteen uniform numbers a block, also when the count is no multiple of sixteen: fewer than ``fillNormal(_:)`` takes.
  private mutating func fillNarrowNormal(_ buffer: UnsafeMutableBufferPointer<Float>, _ format: NoiseFormat) {
    for begin in Self.blockStarts(buffer.count) {
      let block = Self.block(buffer, begin)
      fillUniform(block)
      Self.boxMuller(block)
      for index in block.indices { block[index] = format.round(block[index]) }
    }
  }

  /// Every operation in the narrow format: computed in float32 and rounded.
  private mutating func fillLegacyNormal(_ buffer: UnsafeMutableBufferPointer<Float>, _ format: NoiseFormat) {
    let mask = UInt32(1) << format.precision - 1
    let step = Float(sign: .plus, exponent: -format.precision, significand: 1)
    engine.fill(buffer) { Float($0 & mask) * step }
    for begin in stride(from: 0, through: buffer.count - 16, by: 16) {
      Self.legacyBoxMuller(Self.block(buffer, begin), format)
    }
    if buffer.count % 16 != 0 {
      let last = Self.block(buffer, buffer.count - 16)
      engine.fill(last) { Float($0 & mask) * step }
      Self.legacyBoxMuller(last, format)
    }
  }

  /// The beginnings of the blocks in the order in which they are drawn; the last may overlap the one before it.
  private static func blockStarts(_ count: Int) -> [Int] {
    let starts = Array(stride(from: 0, through: count - 16, by: 16))
    return count % 16 == 0 ? starts : starts + [count - 16]
  }

  private static func block(
    _ buffer: UnsafeMutableBufferPointer<Float>, _ begin: Int
  ) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: buffer[begin..<begin + 16])
  }

  @inline(__always)
  private static func boxMuller(_ block: UnsafeMutableBufferPointer<Float>) {
    for index in 0..<8 {
      let radius = (-2 * CephesFunctions.log(1 - block[index])).squareRoot()
      let (sine, cosine) = CephesFunctions.sineAndCosine(Float(2 * Double.pi) * block[index + 8])
      // The zero is the mean that torch adds: it makes −0 into 0.
      block[index] = radius * cosine + 0
      block[index + 8] = radius * sine + 0
    }
  }

  private static func legacyBoxMuller(_ block: UnsafeMutableBufferPointer<Float>, _ format: NoiseFormat) {
    for index in 0..<8 {
      let logarithm = format.round(logf(format.round(1 - block[index])))
      let radius = format.round(format.round(-2 * logarithm).squareRoot())
      let angle = format.round(Float(2 * Double.pi * Double(block[index + 8])))
      block[index] = format.round(radius * format.round(cosf(angle))) + 0
      block[index + 8] = format.round(radius * format.round(sinf(angle))) + 0
    }
  }
}
