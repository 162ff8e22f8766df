import FeatureCaching
import Rendering
import Synchronization
import Tensors
import Testing
import Transformers

/// Caching policies with the DiT transformer, through stages and denoiser.
@Suite(.serialized) struct DiTCachingTests {
  private static let schedule = IntervalSchedule(interval: 4, enhancedSteps: 2)

  private static func clusca(
    _ schedule: IntervalSchedule = schedule, order: Int = 4, clusters: Int = 5
  ) -> ClusCa {
    ClusCa(
      schedule: schedule, maximumOrder: order, clusters: clusters, propagation: 0.3, kMeansIterations: 100)
  }

  private static let policies: [any FeatureCachePolicy] = [
    NoCaching(), FORA(schedule: schedule), TaylorSeer(schedule: schedule, maximumOrder: 2), clusca(),
  ]

  @Test func anIntervalOfOneEqualsNoCachingBitForBit() async throws {
    let dit = try TinyDiT()
    let expected = try await dit.latents(dit.task(NoCaching()))
    let everyStep = IntervalSchedule(interval: 1, enhancedSteps: 1)
    #expect(expected.count == 10 && expected.allSatisfy { $0.elements.allSatisfy { $0.isFinite } })
    #expect(try await dit.latents(dit.task(Self.clusca(everyStep))) == expected)
    #expect(try await dit.latents(dit.task(TaylorSeer(schedule: everyStep, maximumOrder: 2))) == expected)
  }

  @Test func withoutClustersItEqualsTaylorSeerAndWithoutOrdersFORABitForBit() async throws {
    let dit = try TinyDiT()
    for order in 0...3 {
      let taylor = try await dit.latents(dit.task(TaylorSeer(schedule: Self.schedule, maximumOrder: order)))
      #expect(try await dit.latents(dit.task(Self.clusca(order: order, clusters: 0))) == taylor)
      if order == 0 { #expect(try await dit.latents(dit.task(FORA(schedule: Self.schedule))) == taylor) }
      #expect(try await dit.latents(dit.task(Self.clusca(order: order))) != taylor)
    }
  }

  @Test(arguments: ["dit-tiny-mild", "dit-tiny-untied"], [[1], [2], [3], [1, 2], [1, 3], [2, 3]])
  func everyCutIntoStagesGivesTheSameBitsWithEveryPolicy(model: String, cuts: [Int]) async throws {
    let dit = try TinyDiT(model)
    for policy in Self.policies {
      let whole = try await dit.latents(dit.task(policy))
      #expect(try await dit.latents(dit.task(policy), cuts: cuts) == whole, "\(policy.name)")
    }
  }

  @Test func anyNumberOfThreadsGivesTheSameBits() async throws {
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    let dit = try TinyDiT()
    var runs: [[Tensor]] = []
    for count in [1, 2, 4] {
      ThreadPool.shared.setThreads(count)
      runs.append(try await dit.latents(dit.task(Self.clusca())))
    }
    #expect(runs[1] == runs[0] && runs[2] == runs[0])
  }

  @Test func theTwoRowsOfGuidanceAreClusteredApart() async throws {
    let dit = try TinyDiT()
    let labels = Mutex<[UInt16: [Tensor]]>([:])
    let denoiser = Denoiser(dit.task(Self.clusca()), over: try dit.transport()) { _, row in
      Probe { name, tensor in
        guard name == "cache.clusters.image.labels" else { return }
        labels.withLock { $0[row, default: []].append(tensor) }
      }
    }
    for try await _ in denoiser {}
    let found = labels.withLock { $0 }
    // Full are the steps 0, 1, 5 and 9.
    #expect(found[0]?.count == 4 && found[1]?.count == 4)
    #expect(found[0] != found[1])
  }

  @Test func stagesHoldTheBytesThatThePolicyPlansAndFreeThemAtTheEnd() async throws {
    let dit = try TinyDiT()
    let policy = Self.clusca(order: 1)
    let transport = try dit.transport(cuts: [1, 3])
    let (series, branches) = (TaylorSeer(schedule: policy.schedule, maximumOrder: 1), dit.configuration.branches)
    let centroids = 5 * dit.configuration.width * 4
    let least = branches.reduce(centroids) { $0 + series.byteCount($1) }
    let forecasts = TinyFamily.forecastBytes(policy, branches)
    let most = branches.reduce(centroids) { $0 + policy.byteCount($1) } + 3 * forecasts
    var denoiser = Denoiser(dit.task(policy), over: transport).makeAsyncIterator()
    for step in 0..<10 {
      _ = try await denoiser.next()
      // The difference is there after the second full step.
      if step >= 1 { #expect((2 * least...2 * most).contains(await transport.cacheBytes)) }
    }
    #expect(try await denoiser.next() == nil)
    #expect(await transport.cacheBytes == 0)
  }
}
