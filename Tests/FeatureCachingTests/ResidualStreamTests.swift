import Tensors
import Testing

@testable import FeatureCaching

/// Hidden states to which features are added when they are read.
@Suite struct ResidualStreamTests {
  private static let (tokens, width) = (70, 1000)

  private static func random(_ seed: UInt64, _ shape: [Int]) -> Tensor {
    let key = RandomKey(seed: seed, purpose: .test)
    return Tensor(key.uniforms(0..<shape.reduce(1, *)).map { $0 * 2 - 1 }, shape: shape)
  }

  private static let states = random(1, [tokens, width])
  /// Computed ones and forecasts, with gates and without.
  private static let features: [(Feature, Tensor?)] = (0..<6).map { index in
    let terms = (0...index % 3).map { random(UInt64(10 * index + $0 + 2), [tokens, width]) }
    let coefficients: [Float] = Array([1, 0.5, -0.25].prefix(terms.count))
    // Of every other one all terms but the first are in bfloat16.
    let wide = index % 2 == 0 ? terms : Array(terms.prefix(1))
    return (
      Feature(
        terms: wide, narrowTerms: terms.dropFirst(wide.count).map(BFloat16Tensor.init(rounding:)),
        coefficients: coefficients), index % 2 == 0 ? random(UInt64(index) + 90, [width]) : nil
    )
  }

  /// What adding each feature at once gives.
  private static let sum: Tensor = {
    var sum = states
    for (feature, gate) in features { sum.add(feature, gate: gate) }
    return sum
  }()

  private func stream(summedRows: Range<Int>? = nil) -> ResidualStream {
    let stream = ResidualStream(Self.states, summedRows: summedRows)
    for (feature, gate) in Self.features { stream.add(feature, gate: gate) }
    return stream
  }

  @Test func whatIsAddedLaterIsAddedInTheSameOrder() {
    let stream = stream()
    #expect(stream.all == Self.sum)
    // Reading changes nothing.
    #expect(stream.all == Self.sum)
  }

  @Test func singleTokensHaveTheirFeaturesBeforeTheOthers() {
    let stream = stream()
    let tokens = [69, 0, 33, 0]
    // So often that all are brought up to date in between.
    for _ in 0..<40 { #expect(stream.gathered(tokens: tokens) == Self.sum.gathered(rows: tokens)) }
    #expect(stream.all == Self.sum)
  }

  @Test func rowsThatNobodyNeedsStayWhatTheyAre() {
    let all = stream(summedRows: 20..<50).all
    #expect(all.rows(20..<50) == Self.sum.rows(20..<50))
    #expect(all.rows(0..<20) == Self.states.rows(0..<20) && all.rows(50..<70) == Self.states.rows(50..<70))
  }

  @Test func whoReadEarlierKeepsWhatWasRead() {
    let stream = ResidualStream(Self.states)
    let before = stream.all
    stream.add(Self.features[0].0, gate: Self.features[0].1)
    #expect(stream.all != before && before == Self.states)
  }
}
