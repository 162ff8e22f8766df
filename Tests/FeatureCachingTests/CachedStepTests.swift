import Tensors
import Testing

@testable import FeatureCaching

/// What a ClusCa cache does at a cached step, number by number.
@Suite struct CachedStepTests {
  /// The choices of a test.
  private struct Given: TokenChoices {
    var fresh: [Int?]
    var start: [Int] = [0]

    func initialCentroids(_ count: Int, of tokens: Int, stream: TokenStream) -> [Int] { start }
    func freshTokens(step: Int, branch: Branch, clusters: TokenClusters) -> [Int?] { fresh }
    func scores(step: Int, branch: Branch, tokens: Int) -> [Float] { Array(repeating: 0, count: tokens) }
  }

  private static let branch = Branch(0, .image, .mlp)

  private func policy(_ quirks: ClusCa.Quirks, propagation: Float = 0.1, order: Int = 0) -> ClusCa {
    ClusCa(
      schedule: IntervalSchedule(interval: 4, enhancedSteps: 1), maximumOrder: order, clusters: 3,
      propagation: propagation, quirks: quirks)
  }

  /// Keeps [10, 20, 30, 40, 50] at step 0 and gives the feature of step 1, where tokens 0, 1 and 4 compute 7, 100, 200.
  private func feature(
    _ policy: ClusCa, fresh: [Int?], labels: [Int32] = [0, 0, 1, 1, 1]
  ) -> (sum: [Float], computed: [Float]) {
    let cache = policy.makeCache(SyntheticModel.setup(Given(fresh: fresh), steps: 9))
    let x = Tensor([0, 1, 2, 3, 4], shape: [5, 1])
    cache.begin(CacheStep(index: 0, kind: .full))
    _ = cache.feature(Self.branch, of: x) { _ in Tensor([10, 20, 30, 40, 50], shape: [5, 1]) }
    cache.begin(
      CacheStep(
        index: 1, kind: .cached(distance: 1), clusters: [.image: TokenClusters(labels: labels, count: 3)]))
    var computed: [Float] = []
    let feature = cache.feature(Self.branch, of: x) { rows in
      computed = rows.elements
      return Tensor(rows.elements.map { $0 == 0 ? 7 : $0 == 1 ? 100 : 200 }, shape: rows.shape)
    }
    return (feature.sum.elements, computed)
  }

  private func expectNear(_ values: [Float], _ expected: [Float]) {
    for (value, reference) in zip(values, expected) { #expect(abs(value - reference) <= 1e-5 * abs(reference)) }
  }

  @Test func anEmptyClusterComputesNothingByDefault() {
    let result = feature(policy([]), fresh: [1, 4, nil])
    #expect(result.computed == [1, 4])
    expectNear(result.sum, [19, 100, 47, 56, 200])
  }

  @Test func anEmptyClusterComputesTokenZeroAsInTheAuthorsCode() {
    let result = feature(policy(.authorsCode), fresh: [1, 4, nil])
    #expect(result.computed == [1, 4, 0])
    expectNear(result.sum, [17, 100.7, 47, 56, 200])
  }

  @Test func tokenZeroOfAnEmptyClusterCanBeAveraged() {
    expectNear(feature(policy(.emptyClustersPickTokenZero), fresh: [1, 4, nil]).sum, [11.65, 95.35, 47, 56, 200])
  }

  @Test func theTextTakesWhatThePictureGaveOnlyByTheQuirk() {
    func text(_ quirks: ClusCa.Quirks) -> (sum: [Float], computed: [Float]) {
      var policy = policy(quirks, propagation: 0)
      policy.propagatingStreams = [.image, .text]
      let cache = policy.makeCache(SyntheticModel.setup(Given(fresh: [1, 4, nil]), steps: 9))
      let x = Tensor([0, 1, 2, 3, 4], shape: [5, 1])
      cache.begin(CacheStep(index: 0, kind: .full))
      for stream in [TokenStream.image, .text] {
        _ = cache.feature(Branch(0, stream, .mlp), of: x) { _ in Tensor([10, 20, 30, 40, 50], shape: [5, 1]) }
      }
      let clusters = TokenClusters(labels: [0, 0, 1, 1, 1], count: 3)
      cache.begin(CacheStep(index: 1, kind: .cached(distance: 1), clusters: [.image: clusters, .text: clusters]))
      _ = cache.feature(Branch(0, .image, .mlp), of: x) { Tensor($0.elements.map { $0 * 100 }, shape: $0.shape) }
      var computed: [Float] = []
      let feature = cache.feature(Branch(0, .text, .mlp), of: x) { rows in
        computed = rows.elements
        return Tensor(rows.elements.map { -$0 }, shape: rows.shape)
      }
      return (feature.sum.elements, computed)
    }
    #expect(text([]).sum == [10, -1, 30, 40, -4] && text([]).computed == [1, 4])
    #expect(text(.authorsCode).sum == [0, -1, 30, 40, -4])
    let defective = text([.authorsCode, .textTakesImageOutputs])
    #expect(defective.sum == [0, 100, 30, 40, 400] && defective.computed.isEmpty)
  }

  @Test func streamsThatDoNotPropagateChangeTheirFreshTokensOnly() {
    var policy = policy([])
    policy.propagatingStreams = [.text]
    #expect(feature(policy, fresh: [1, 4, nil]).sum == [10, 100, 30, 40, 200])
  }

  @Test func withoutClustersOfItsStreamABranchIsForecast() {
    let cache = policy([]).makeCache(SyntheticModel.setup(Given(fresh: [0, nil, nil]), steps: 9))
    let x = Tensor([1, 2], shape: [2, 1])
    cache.begin(CacheStep(index: 0, kind: .full))
    _ = cache.feature(Self.branch, of: x) { $0 }
    cache.begin(
      CacheStep(
        index: 1, kind: .cached(distance: 1), clusters: [.text: TokenClusters(labels: [0, 0], count: 3)]))
    let feature = cache.feature(Self.branch, of: x) { _ in
      Issue.record("nothing is computed")
      return x
    }
    #expect(feature.sum == x)
  }

  @Test func freshTokensGetTheirDerivativeTermsToo() {
    let cache = policy([], propagation: 0, order: 1).makeCache(
      SyntheticModel.setup(Given(fresh: [1, nil, nil]), steps: 9))
    let x = Tensor([0, 0], shape: [2, 1])
    for (step, output) in [(0, [1, 2]), (4, [5, 10])] as [(Int, [Float])] {
      cache.begin(CacheStep(index: step, kind: .full))
      _ = cache.feature(Self.branch, of: x) { _ in Tensor(output, shape: [2, 1]) }
    }
    cache.begin(
      CacheStep(
        index: 6, kind: .cached(distance: 2), clusters: [.image: TokenClusters(labels: [0, 0], count: 3)]))
    // Differences 1 and 2 a step: the fresh 100 is taken for an output of the last full step, two steps ago.
    let feature = cache.feature(Self.branch, of: x) { _ in Tensor([100], shape: [1, 1]) }
    #expect(feature.sum.elements == [7, 104])
  }

  @Test func theNextDifferenceIsFormedWithTheRefreshedOutput() {
    let cache = policy([], propagation: 0, order: 1).makeCache(
      SyntheticModel.setup(Given(fresh: [0, nil, nil]), steps: 9))
    let x = Tensor([0], shape: [1, 1])
    let clusters: [TokenStream: TokenClusters] = [.image: TokenClusters(labels: [0], count: 3)]
    for (step, output) in [(0, 1), (2, 100), (4, 5)] as [(Int, Float)] {
      cache.begin(CacheStep(index: step, kind: step == 2 ? .cached(distance: 2) : .full, clusters: clusters))
      _ = cache.feature(Self.branch, of: x) { _ in Tensor([output], shape: [1, 1]) }
    }
    cache.begin(CacheStep(index: 5, kind: .cached(distance: 1)))
    // (5 − 100) / 4 a step.
    #expect(cache.feature(Self.branch, of: x) { $0 }.sum.elements == [5 - 95.0 / 4])
  }

  @Test func clusteringBeginsWithTheCentroidsOfTheLastFullStep() {
    let policy = ClusCa(
      schedule: IntervalSchedule(interval: 1, enhancedSteps: 1), maximumOrder: 0, clusters: 2, propagation: 0,
      kMeansIterations: 1)
    let cache = policy.makeCache(SyntheticModel.setup(Given(fresh: [], start: [0, 0]), steps: 9))
    let x = Tensor([0, 1, 10, 11], shape: [4, 1])
    var labels: [[Int32]] = []
    for step in 0..<3 {
      cache.begin(CacheStep(index: step, kind: .full))
      #expect(cache.newClusters.isEmpty)
      cache.observe(.image, behind: 0, x)
      labels.append(cache.newClusters[.image]?.labels ?? [])
    }
    #expect(labels == [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]])
  }
}
