import FeatureCaching
import Tensors
import Testing

/// Whole caches, driven step by step with a model of several branches.
@Suite(.serialized) struct PolicyTests {
  private static func schedule(_ interval: Int) -> IntervalSchedule {
    IntervalSchedule(interval: interval, enhancedSteps: 2)
  }

  private static func clusca(
    _ interval: Int, order: Int, clusters: Int, propagation: Float = 0.3,
    streams: Set<TokenStream> = [.image, .text], quirks: ClusCa.Quirks = []
  ) -> ClusCa {
    ClusCa(
      schedule: schedule(interval), maximumOrder: order, clusters: clusters, propagation: propagation,
      propagatingStreams: streams, quirks: quirks)
  }

  @Test func anIntervalOfOneEqualsNoCachingBitForBit() {
    let expected = SyntheticRun(NoCaching()).outputs
    #expect(SyntheticRun(Self.clusca(1, order: 2, clusters: 6)).outputs == expected)
    #expect(SyntheticRun(TaylorSeer(schedule: Self.schedule(1), maximumOrder: 3)).outputs == expected)
    #expect(SyntheticRun(FORA(schedule: Self.schedule(1))).outputs == expected)
  }

  @Test(arguments: 0...3)
  func withoutClustersItEqualsTaylorSeerBitForBit(order: Int) {
    let taylor = SyntheticRun(TaylorSeer(schedule: Self.schedule(4), maximumOrder: order))
    let clusca = SyntheticRun(Self.clusca(4, order: order, clusters: 0))
    #expect(clusca.outputs == taylor.outputs)
    #expect(clusca.clusters.allSatisfy { $0.isEmpty })
  }

  @Test func withoutClustersAndOrdersItEqualsFORABitForBit() {
    let fora = SyntheticRun(FORA(schedule: Self.schedule(4))).outputs
    #expect(SyntheticRun(Self.clusca(4, order: 0, clusters: 0)).outputs == fora)
    #expect(SyntheticRun(TaylorSeer(schedule: Self.schedule(4), maximumOrder: 0)).outputs == fora)
  }

  @Test func thePoliciesDifferAtCachedSteps() {
    let runs = [
      SyntheticRun(NoCaching()), SyntheticRun(FORA(schedule: Self.schedule(4))),
      SyntheticRun(TaylorSeer(schedule: Self.schedule(4), maximumOrder: 1)),
      SyntheticRun(Self.clusca(4, order: 1, clusters: 6)),
      SyntheticRun(Self.clusca(4, order: 1, clusters: 6, streams: [.image])),
    ]
    for (index, run) in runs.enumerated() {
      for other in runs[(index + 1)...] { #expect(run.outputs[3] != other.outputs[3]) }
    }
    // Full steps know no cache.
    for run in runs { #expect(run.outputs[1] == runs[0].outputs[1] && run.outputs[5] == runs[0].outputs[5]) }
  }

  @Test func clustersChangeAtFullStepsOnly() {
    let run = SyntheticRun(Self.clusca(4, order: 1, clusters: 6))
    for (step, clusters) in run.clusters.enumerated() {
      #expect(Set(clusters.keys) == (Self.schedule(4).kind(ofStep: step).isFull ? [.image, .text] : []))
    }
  }

  @Test(arguments: [[1], [2], [3], [4], [1, 3], [2, 4], [1, 2, 3, 4]])
  func everyCutIntoStagesGivesTheSameBits(cuts: [Int]) {
    for quirks in [[], .authorsCode] as [ClusCa.Quirks] {
      let policy = Self.clusca(4, order: 2, clusters: 6, quirks: quirks)
      let (whole, cut) = (SyntheticRun(policy), SyntheticRun(policy, cuts: cuts))
      #expect(cut.outputs == whole.outputs)
      #expect(cut.clusters == whole.clusters)
      #expect(cut.caches.reduce(0) { $0 + $1.byteCount } == whole.caches[0].byteCount)
    }
  }

  @Test func anyNumberOfThreadsGivesTheSameBits() {
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    let policy = Self.clusca(4, order: 2, clusters: 6)
    let runs = [1, 2, 4].map { count in
      ThreadPool.shared.setThreads(count)
      return SyntheticRun(policy)
    }
    #expect(runs[1].outputs == runs[0].outputs && runs[2].outputs == runs[0].outputs)
    #expect(runs[1].clusters == runs[0].clusters && runs[2].clusters == runs[0].clusters)
  }

  @Test func aCacheHoldsTheBytesThatItsPolicyPlans() {
    func planned(_ policy: any FeatureCachePolicy) -> Int {
      SyntheticModel.branches.reduce(0) { $0 + policy.byteCount($1) }
    }
    for order in 0...3 {
      let taylor = TaylorSeer(schedule: Self.schedule(2), maximumOrder: order)
      #expect(SyntheticRun(taylor).caches[0].byteCount == planned(taylor))
      let clusca = Self.clusca(2, order: order, clusters: 6)
      // Beside the features, the centroids of two streams.
      let centroids = 2 * 6 * SyntheticModel.width * 4
      // What fresh tokens change is planned for all that can be fresh.
      let range = planned(taylor) + centroids...planned(clusca) + centroids
      #expect(range.contains(SyntheticRun(clusca).caches[0].byteCount))
    }
    #expect(SyntheticRun(NoCaching()).caches[0].byteCount == 0 && planned(NoCaching()) == 0)
    let fora = FORA(schedule: Self.schedule(4))
    #expect(SyntheticRun(fora).caches[0].byteCount == planned(fora))
    let bytesOfOneOrder = (3 * 184 * 2 + 2 * 184) * SyntheticModel.width * 4
    #expect(planned(fora) == bytesOfOneOrder)
  }

  @Test func aCacheIsEmptyBeforeItsFirstStep() {
    #expect(
      Self.clusca(4, order: 1, clusters: 6).makeCache(SyntheticModel.setup(KeyedChoices(seed: 0), steps: 9)).byteCount
        == 0)
  }

  @Test func onlyTokenwiseBranchesComputeTokens() {
    let policy = Self.clusca(4, order: 1, clusters: 30)
    let (cached, full) = (
      PlannedStep(index: 7, of: 9, kind: .cached(distance: 2)), PlannedStep(index: 5, of: 9, kind: .full)
    )
    for shape in SyntheticModel.branches {
      #expect(policy.computedTokens(shape, at: cached) == (shape.isTokenwise ? min(30, shape.tokens) : 0))
      #expect(policy.computedTokens(shape, at: full) == shape.tokens)
      #expect(TaylorSeer(schedule: Self.schedule(4), maximumOrder: 1).computedTokens(shape, at: cached) == 0)
      #expect(NoCaching().computedTokens(shape, at: full) == shape.tokens)
    }
  }
}
