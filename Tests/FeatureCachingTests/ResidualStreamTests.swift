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

  private static let branch = Branch(0, .image, .mlp)
  private static let states = random(1, [tokens, width])
  /// Computed ones and forecasts, with gates and without.
  private static let features: [(Feature, Tensor?)] = (0..<6).map { index in
    let terms = (0...index % 3).map { random(UInt64(10 * index + $0 + 2), [tokens, width]) }
    let coefficients: [Float] = Array([1, 0.5, -0.25].prefix(terms.count))
    // Of one in three all terms are in bfloat16, and of another all but the first.
    let kept = terms.enumerated().map { FeatureTensor($1, in: index % 3 + $0 >= 2 ? .bfloat16 : .float32) }
    return (
      Feature(terms: kept, coefficients: coefficients), index % 2 == 0 ? random(UInt64(index) + 90, [width]) : nil
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
    for _ in 0..<40 { #expect(stream.gathered(tokens: tokens, for: Self.branch) == Self.sum.gathered(rows: tokens)) }
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

  // MARK: - Summed apart

  private static let labels = (0..<tokens).map { Int32($0 % 3) }

  /// What fresh tokens change of the features with these numbers.
  private static func change(_ index: Int) -> FreshChange {
    var change = FreshChange(labels: labels, width: width, table: random(UInt64(index) + 300, [3, width]))
    let rows = random(UInt64(index) + 400, [3, width])
    for (place, token) in [5 + index, 40, 69].enumerated() {
      change.withRow(of: token) { row, _ in
        rows.withUnsafeElements { row.update(from: $0.baseAddress! + place * width, count: width) }
      }
    }
    return change
  }

  /// The same features, of which the last three have changes.
  private static let changed: [(Feature, Tensor?)] = features.enumerated().map { index, pair in
    let (feature, gate) = pair
    guard index >= 3 else { return pair }
    return (
      Feature(terms: feature.terms, coefficients: feature.coefficients, change: change(index)), gate
    )
  }

  private static func expectNear(_ values: Tensor, _ expected: Tensor, _ location: SourceLocation = #_sourceLocation) {
    let worst = zip(values.elements, expected.elements).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
    #expect(values.shape == expected.shape && worst < 2e-5, "worst \(worst)", sourceLocation: location)
  }

  @Test func theRoomOfAChangeIsNoPartOfIt() {
    func change(room: Int) -> FreshChange {
      var sum = FreshChange(labels: Self.labels, width: Self.width, room: room)
      for index in 3..<6 { sum.add(Self.change(index), gate: nil) }
      return sum
    }
    #expect(change(room: 0) == change(room: 3) && change(room: 0) == change(room: 1000))
    #expect(change(room: 0) != Self.change(3))
  }

  @Test func apartTheSumIsTheSameButForRoundings() {
    let stream = ResidualStream(Self.states, summing: .apart(nil))
    var expected = Self.states
    for (feature, gate) in Self.changed {
      stream.add(feature, gate: gate)
      expected.add(feature, gate: gate)
      Self.expectNear(stream.gathered(tokens: [69, 5, 1], for: Self.branch), expected.gathered(rows: [69, 5, 1]))
    }
    Self.expectNear(stream.all, expected)
    #expect(stream.gathered(tokens: [0, 69, 8], for: Self.branch) == stream.all.gathered(rows: [0, 69, 8]))
  }

  /// Steps are planned, more of them than a kernel takes at once: one as it is, and the others each with gates and at a
  /// distance of its own.
  @Test func forecastsThatWereSummedBeforeTheStepGiveTheSameBits() {
    func other(_ step: Int, _ feature: Feature, _ gate: Tensor?) -> (Feature, Tensor?) {
      guard step > 0 else { return (feature, gate) }
      let coefficients = feature.coefficients.enumerated().map {
        $0 == 0 ? 1 - 0.1 * Float(step) : Float(1 + step) * $1
      }
      return (
        Feature(terms: feature.terms, coefficients: coefficients, change: feature.change),
        gate.map { gate in gate + Tensor(repeating: 0.1 * Float(step), shape: gate.shape) }
      )
    }
    func fresh(_ step: Int, _ branch: Int) -> [Int] { [(3 + 31 * step + 7 * branch) % Self.tokens, 69, 12] }
    let steps = 0..<9
    let plans = steps.map { step in
      let plan = ForecastPlan()
      let stream = ResidualStream(Self.states, summing: .planning(plan))
      for (index, (feature, gate)) in Self.changed.enumerated() {
        plan.read(Branch(index, .image, .mlp), tokens: fresh(step, index))
        let (feature, gate) = other(step, feature, gate)
        stream.add(feature, gate: gate)
      }
      return plan
    }
    let sums = ForecastSum.sums(of: plans, from: nil, tokens: Self.tokens, width: Self.width)
    for step in steps {
      let ahead = ResidualStream(Self.states, summing: .apart(sums[step]))
      let onTheWay = ResidualStream(Self.states, summing: .apart(nil))
      for (index, (feature, gate)) in Self.changed.enumerated() {
        let (branch, tokens) = (Branch(index, .image, .mlp), fresh(step, index))
        #expect(ahead.gathered(tokens: tokens, for: branch) == onTheWay.gathered(tokens: tokens, for: branch))
        let (feature, gate) = other(step, feature, gate)
        for stream in [ahead, onTheWay] { stream.add(feature, gate: gate) }
      }
      #expect(ahead.all == onTheWay.all && ahead.all != Self.states)
    }
  }

  @Test func aCutStreamGoesOnWithTheSameBits() {
    let whole = ResidualStream(Self.states, summing: .apart(nil))
    let first = ResidualStream(Self.states, summing: .apart(nil))
    for (feature, gate) in Self.changed { whole.add(feature, gate: gate) }
    for (feature, gate) in Self.changed.prefix(4) { first.add(feature, gate: gate) }
    let (states, sums) = first.apart
    let second = ResidualStream(states, summing: .apart(nil), sums: sums)
    for (feature, gate) in Self.changed.dropFirst(4) { second.add(feature, gate: gate) }
    #expect(second.all == whole.all)
  }

  /// Text above the picture, as in FLUX; then a feature of all tokens.
  @Test func joinedStreamsHaveTheSumsOfBoth() {
    let text = Self.random(70, [9, Self.width])
    let ofText = Feature(Self.random(71, [9, Self.width]))
    let ofAll = Feature(Self.random(72, [9 + Self.tokens, Self.width]))
    func joined(_ summing: StreamSumming, ofText summingOfText: StreamSumming, addsText: Bool = true) -> Tensor {
      let image = ResidualStream(Self.states, summing: summing)
      for (feature, gate) in Self.changed { image.add(feature, gate: gate) }
      let textStream = ResidualStream(text, summing: summingOfText)
      if addsText { textStream.add(ofText) }
      let joint = ResidualStream(
        joining: [textStream, image], summedRows: addsText ? nil : 9..<9 + Self.tokens)
      joint.add(ofAll)
      return joint.all
    }
    let apart = joined(.apart(nil), ofText: .apart(nil))
    let image = ResidualStream(Self.states, summing: .apart(nil))
    for (feature, gate) in Self.changed { image.add(feature, gate: gate) }
    image.add(Feature(ofAll.sum.rows(9..<9 + Self.tokens)))
    #expect(apart.rows(9..<9 + Self.tokens) == image.all)
    Self.expectNear(apart.rows(0..<9), text + ofText.sum + ofAll.sum.rows(0..<9))
    // The picture alone, with forecasts that were summed before.
    let plan = ForecastPlan()
    _ = joined(.planning(plan), ofText: .planning(plan), addsText: false)
    let sum = ForecastSum.sums(of: [plan], from: nil, tokens: Self.tokens, width: Self.width)[0]
    let ahead = joined(.apart(sum), ofText: .apart(nil), addsText: false)
    #expect(ahead.rows(9..<9 + Self.tokens) == apart.rows(9..<9 + Self.tokens))
    #expect(ahead.rows(0..<9) == text)
  }
}
