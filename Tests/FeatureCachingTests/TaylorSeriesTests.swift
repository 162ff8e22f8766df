import Tensors
import Testing

@testable import FeatureCaching

@Suite struct TaylorSeriesTests {
  private static let branch = Branch(0, .image, .mlp)

  /// Runs the full steps among `outputs`, which are given by step, and the cached ones between them.
  private func cache(
    _ policy: some FeatureCachePolicy, _ outputs: [Int: Float], upTo last: Int
  ) throws -> TaylorCache {
    let cache = try #require(policy.makeCache(SyntheticModel.setup(KeyedChoices(seed: 0), steps: 11)) as? TaylorCache)
    for step in 0...last {
      cache.begin(CacheStep(index: step, kind: policy.plannedSteps(100)[step].kind))
      _ = cache.feature(Self.branch) { Tensor([outputs[step] ?? .nan], shape: [1, 1]) }
    }
    return cache
  }

  private func orders(_ cache: TaylorCache) -> [Float] { cache.series[Self.branch]?.orders.map { $0.widened[0] } ?? [] }

  private let outputs: [Int: Float] = [0: 1, 1: 2, 2: 4, 6: 10, 10: 30]

  @Test func differencesAreThoseOfTheAuthorsCode() throws {
    let policy = TaylorSeer(schedule: IntervalSchedule(interval: 4, enhancedSteps: 3), maximumOrder: 2)
    for (last, expected) in [
      (0, [1]), (1, [2]), (2, [4, 2]), (5, [4, 2]), (6, [10, 1.5, -0.125]), (10, [30, 5, 0.875]),
    ] as [(Int, [Float])] {
      #expect(try orders(cache(policy, outputs, upTo: last)) == expected, "behind step \(last)")
    }
  }

  @Test func theForecastIsTheTaylorSum() throws {
    let policy = TaylorSeer(schedule: IntervalSchedule(interval: 4, enhancedSteps: 3), maximumOrder: 2)
    let cache = try cache(policy, outputs, upTo: 7)
    cache.begin(CacheStep(index: 8, kind: policy.plannedSteps(100)[8].kind))
    let forecast = cache.feature(Self.branch) {
      Issue.record("a cached step computes nothing")
      return Tensor(zeros: [1, 1])
    }
    #expect(forecast.sum.elements == [12.75])
    #expect(forecast.coefficients == [1, 2, 2])
  }

  @Test(arguments: 1...4)
  func differencesBeginAtTheLastOfTheFirstFullSteps(enhanced: Int) throws {
    let policy = TaylorSeer(schedule: IntervalSchedule(interval: 3, enhancedSteps: enhanced), maximumOrder: 4)
    for step in 0..<enhanced {
      let outputs = Dictionary(uniqueKeysWithValues: (0...step).map { ($0, Float($0 * $0)) })
      // One order more at the last of them, if there is a step before to form a difference with.
      let expected = step == enhanced - 1 && step > 0 ? 2 : 1
      #expect(try orders(cache(policy, outputs, upTo: step)).count == expected, "behind step \(step)")
    }
  }

  @Test func everyFullStepAddsOneOrderUpToTheHighest() throws {
    let policy = TaylorSeer(schedule: IntervalSchedule(interval: 2, enhancedSteps: 1), maximumOrder: 3)
    let outputs = Dictionary(uniqueKeysWithValues: stride(from: 0, through: 12, by: 2).map { ($0, Float($0 * $0)) })
    let counts = try stride(from: 0, through: 12, by: 2).map { try orders(cache(policy, outputs, upTo: $0)).count }
    #expect(counts == [1, 2, 3, 4, 4, 4, 4])
    // A parabola has a constant second and no third difference where the steps are even.
    #expect(try orders(cache(policy, outputs, upTo: 12)) == [144, 22, 2, 0])
  }

  @Test func orderZeroKeepsTheLastOutputAlone() throws {
    let policy = FORA(schedule: IntervalSchedule(interval: 4, enhancedSteps: 3))
    #expect(try orders(cache(policy, outputs, upTo: 9)) == [10])
  }

  @Test func differencesInBFloat16AreTheNearestAndTakeHalfOfTheMemory() throws {
    let schedule = IntervalSchedule(interval: 4, enhancedSteps: 3)
    let policy = TaylorSeer(
      schedule: schedule, maximumOrder: 2, precision: SeriesPrecision(differences: .bfloat16))
    // Numbers that bfloat16 has, and the same with what it has no room for: 2.001 is nearest to 2, 1.005 to 1.
    #expect(try orders(cache(policy, outputs, upTo: 10)) == [30, 5, 0.875])
    let cache = try cache(policy, [0: 0, 1: 1, 2: 3.001, 6: 7.021], upTo: 6)
    #expect(orders(cache)[0] == 7.021)
    #expect(orders(cache)[1...] == [1.0078125, -0.2490234375])
    #expect(cache.byteCount == 4 + 2 + 2)
    // The output is in float32, and the sum is.
    cache.begin(CacheStep(index: 7, kind: policy.plannedSteps(100)[7].kind))
    let forecast = cache.feature(Self.branch) { Tensor(zeros: [1, 1]) }
    #expect(forecast.sum.elements == [(7.021 as Float) + 1.0078125 - 0.2490234375 / 2])
  }

  @Test func outputsInBFloat16AreTheNearestAndThoseOfTheStepItselfStayAsTheyAre() throws {
    let policy = TaylorSeer(
      schedule: IntervalSchedule(interval: 4, enhancedSteps: 3), maximumOrder: 2,
      precision: SeriesPrecision(output: .bfloat16, differences: .bfloat16))
    let cache = try cache(policy, [0: 0, 1: 1.002, 2: 3.001], upTo: 2)
    // 1.002 is nearest to 1, and 3.001 to 3, but the difference is that of 3.001 itself.
    #expect(orders(cache) == [3, 2])
    #expect(cache.byteCount == 2 + 2)
    cache.begin(CacheStep(index: 6, kind: .full))
    #expect(cache.feature(Self.branch) { Tensor([7.021], shape: [1, 1]) }.sum.elements == [7.021])
    #expect(orders(cache) == [7.03125, 1.0078125, -0.24902344])
  }

  private static let precisions = FeaturePrecision.allCases.flatMap { output in
    FeaturePrecision.allCases.map { SeriesPrecision(output: output, differences: $0) }
  }

  /// Sizes that fill no register, and all numbers of orders for which there are kernels, also where one is new.
  @Test(arguments: 1...6, precisions)
  func differencesOfManyNumbersAreFormedOneByOne(maximumOrder: Int, precision: SeriesPrecision) {
    let (shape, distance) = ([7, 83], 3)
    func kept(_ values: [Float], _ precision: FeaturePrecision) -> [Float] {
      FeatureTensor(Tensor(values, shape: shape), in: precision).widened.elements
    }
    var series = TaylorSeries(maximumOrder: maximumOrder, precision: precision)
    var expected: [[Float]] = []
    for step in 0..<maximumOrder + 3 {
      let output = Tensor(RandomKey(seed: UInt64(step), purpose: .test).uniforms(0..<7 * 83), shape: shape)
      series.update(output, distance: distance, formsDifferences: step > 0)
      let old = expected
      var value = output.elements
      expected = (0...min(step, maximumOrder)).map { order in
        let made = value
        if order < old.count { value = zip(value, old[order]).map { ($0 - $1) * (1 / Float(distance)) } }
        return kept(made, order == 0 ? precision.output : precision.differences)
      }
      #expect(series.orders.map(\.widened.elements) == expected, "behind full step \(step)")
    }
  }

  /// Differences that products renew piece by piece, with fresh tokens between full steps and without, beside those of whole
  /// outputs, and beside those of a cache that goes on from a snapshot, where what fresh tokens changed is written out.
  @Test(arguments: 1...5, precisions)
  func productsRenewDifferencesAsWholeOutputsDo(maximumOrder: Int, precision: SeriesPrecision) throws {
    for weights in Precision.allCases {
      try expectProductsToRenewDifferences(of: weights, maximumOrder: maximumOrder, precision: precision)
    }
  }

  private func expectProductsToRenewDifferences(
    of weightPrecision: Precision, maximumOrder: Int, precision: SeriesPrecision
  ) throws {
    let (tokens, width, branch) = (90, 203, Branch(0, .image, .mlp))
    let policy = ClusCa(
      schedule: IntervalSchedule(interval: 3, enhancedSteps: 2), maximumOrder: maximumOrder, clusters: 5,
      propagation: 0.1, precision: precision)
    let shape = BranchShape(
      branch: branch, tokens: tokens, width: width, operations: 1, rowOperations: 1,
      layout: BlockLayout(blocks: 1, splitBlocks: 1))
    let labels = TokenClusters(labels: (0..<tokens).map { Int32($0 % 5) }, count: 5)
    func values(_ seed: UInt64, _ rows: Int, _ columns: Int) -> Tensor {
      Tensor(RandomKey(seed: seed, purpose: .test).uniforms(0..<rows * columns), shape: [rows, columns])
    }
    let weights = values(99, width, 70)
    let linear = Linear(
      weight: try WeightMatrix(
        joining: [StoredTensor(name: "weight", shape: weights.shape, values: weights.elements)],
        precision: weightPrecision),
      bias: nil)
    func makeCache() throws -> TaylorCache {
      try #require(policy.makeCache(SyntheticModel.setup(KeyedChoices(seed: 0), steps: 20)) as? TaylorCache)
    }
    let caches = [try makeCache(), try makeCache()]
    for (step, planned) in policy.plannedSteps(20).enumerated() {
      let restored = try makeCache()
      if step > 0, planned.kind.isFull { restored.restore(caches[0].snapshot) }
      let x = values(UInt64(step), tokens, 70)
      for (place, cache) in (caches + (planned.kind.isFull ? [restored] : [])).enumerated() {
        cache.begin(
          CacheStep(index: step, kind: planned.kind, clusters: planned.kind.isFull ? [:] : [.image: labels]))
        _ = cache.feature(branch, of: x) { rows in
          linear(rows, epilogue: place == 1 ? nil : cache.epilogue(of: branch))
        }
      }
      #expect(caches[0].series[branch]?.orders == caches[1].series[branch]?.orders, "behind step \(step)")
      #expect(caches[0].byteCount == caches[1].byteCount)
      // Coordinators count on it that a snapshot takes no more than what it is of.
      let snapshotBytes = caches[0].snapshot.entries.reduce(0) { $0 + $1.tensor.byteCount }
      #expect(snapshotBytes <= TaylorSeries.byteCount(shape, maximumOrder: maximumOrder, precision: precision))
      if planned.kind.isFull { #expect(restored.series[branch]?.orders == caches[0].series[branch]?.orders) }
    }
    #expect(caches[0].series[branch]?.orders.count == maximumOrder + 1)
  }

  @Test func aSeriesGoesOnFromItsLowerOrdersWhateverTheyAreKeptIn() {
    let outputs = (0..<6).map { step in
      Tensor(RandomKey(seed: UInt64(step), purpose: .test).uniforms(0..<60), shape: [4, 15])
    }
    for precision in Self.precisions {
      var series = TaylorSeries(maximumOrder: 3, precision: precision)
      for (step, output) in outputs.enumerated() {
        var restored = TaylorSeries(
          lowerOrders: Array(series.lowerOrders), maximumOrder: 3, precision: precision)
        restored.update(output, distance: 3, formsDifferences: step > 0)
        series.update(output, distance: 3, formsDifferences: step > 0)
        #expect(restored.orders == series.orders)
      }
      #expect(series.orders.count == 4)
    }
  }
}
