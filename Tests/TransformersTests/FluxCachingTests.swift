import FeatureCaching
import Rendering
import Tensors
import Testing
import Transformers

/// Caching policies with the FLUX transformer, through stages and denoiser.
@Suite(.serialized) struct FluxCachingTests {
  private static let schedule = IntervalSchedule(interval: 4, enhancedSteps: 3)

  private static func clusca(
    _ schedule: IntervalSchedule = schedule, order: Int = 1, clusters: Int = 5
  ) -> ClusCa {
    ClusCa(schedule: schedule, maximumOrder: order, clusters: clusters, propagation: 0.3)
  }

  @Test func anIntervalOfOneEqualsNoCachingBitForBit() async throws {
    let flux = try TinyFlux()
    let expected = try await flux.latents(flux.task(NoCaching()))
    let everyStep = IntervalSchedule(interval: 1, enhancedSteps: 1)
    #expect(expected.count == 10 && expected.allSatisfy { $0.elements.allSatisfy { $0.isFinite } })
    #expect(try await flux.latents(flux.task(Self.clusca(everyStep))) == expected)
    #expect(try await flux.latents(flux.task(TaylorSeer(schedule: everyStep, maximumOrder: 2))) == expected)
  }

  @Test func withoutClustersItEqualsTaylorSeerAndWithoutOrdersFORABitForBit() async throws {
    let flux = try TinyFlux()
    for order in 0...2 {
      let taylor = try await flux.latents(flux.task(TaylorSeer(schedule: Self.schedule, maximumOrder: order)))
      #expect(try await flux.latents(flux.task(Self.clusca(order: order, clusters: 0))) == taylor)
      if order == 0 { #expect(try await flux.latents(flux.task(FORA(schedule: Self.schedule))) == taylor) }
    }
  }

  @Test(arguments: [[1], [2], [3], [4], [1, 2], [2, 3], [1, 4], [1, 2, 3, 4]])
  func everyCutIntoStagesGivesTheSameBits(cuts: [Int]) async throws {
    let flux = try TinyFlux()
    let task = flux.task(Self.clusca(order: 2), isGuided: true)
    let whole = try await flux.latents(task)
    #expect(try await flux.latents(task, cuts: cuts) == whole)
  }

  @Test func anyNumberOfThreadsGivesTheSameBits() async throws {
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    let flux = try TinyFlux()
    let task = flux.task(Self.clusca(order: 2))
    var runs: [[Tensor]] = []
    for count in [1, 2, 4] {
      ThreadPool.shared.setThreads(count)
      runs.append(try await flux.latents(task))
    }
    #expect(runs[1] == runs[0] && runs[2] == runs[0])
  }

  @Test func threadsAndStagesTogetherChangeNoBit() async throws {
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    let flux = try TinyFlux()
    let task = flux.task(Self.clusca(order: 2), isGuided: true)
    var digests: [SHA256.Digest] = []
    for count in [1, 2, 4] {
      ThreadPool.shared.setThreads(count)
      for cuts in [[], [2], [1, 3]] {
        var hash = SHA256()
        for latents in try await flux.latents(task, cuts: cuts) { hash.update(latents) }
        digests.append(hash.finalize())
      }
    }
    #expect(digests.count == 9 && Set(digests).count == 1)
  }

  @Test func theTwoSamplesOfGuidanceHaveCachesOfTheirOwn() async throws {
    let flux = try TinyFlux()
    let alone = try await flux.latents(flux.task(Self.clusca()))
    let guided = try await flux.latents(flux.task(Self.clusca(), isGuided: true))
    #expect(guided != alone)
    // Two jobs that take turns on the same stages do not see each other either.
    let transport = try flux.transport()
    var other = flux.task(Self.clusca(), isGuided: true)
    other.job = 2
    var iterators = [Denoiser(flux.task(Self.clusca()), over: transport), Denoiser(other, over: transport)]
      .map { $0.makeAsyncIterator() }
    for step in alone.indices {
      let (first, second) = (try await iterators[0].next(), try await iterators[1].next())
      #expect(first?.latents == alone[step])
      #expect(second?.latents == guided[step])
    }
  }

  @Test func stagesHoldTheBytesThatThePolicyPlansAndFreeThemAtTheEnd() async throws {
    let flux = try TinyFlux()
    let policy = Self.clusca(order: 2)
    let transport = try flux.transport(cuts: [1, 3])
    let branches = flux.configuration.branches(imageTokens: TinyFlux.grid.tokens, textTokens: TinyFlux.textTokens)
    let series = TaylorSeer(schedule: policy.schedule, maximumOrder: 2)
    let centroids = 2 * 5 * flux.configuration.width * 4
    let least = branches.reduce(centroids) { $0 + series.byteCount($1) }
    let forecasts = TinyFamily.forecastBytes(policy, branches)
    let most = branches.reduce(centroids) { $0 + policy.byteCount($1) } + 3 * forecasts
    var denoiser = Denoiser(flux.task(policy, steps: 8), over: transport).makeAsyncIterator()
    #expect(await transport.cacheBytes == 0)
    for step in 0..<8 {
      _ = try await denoiser.next()
      // All orders are there after the fourth full step, number 6.
      if step >= 6 { #expect((least...most).contains(await transport.cacheBytes)) }
    }
    #expect(try await denoiser.next() == nil)
    #expect(await transport.cacheBytes == 0)
  }
}
