import FeatureCaching
import Rendering
import Synchronization
import Tensors
import Testing
import Transformers

/// Caching policies with the HunyuanVideo transformer, through stages and denoiser.
@Suite(.serialized) struct HunyuanVideoCachingTests {
  private static let schedule = IntervalSchedule(interval: 4, enhancedSteps: 1)

  private static func clusca(order: Int = 1, clusters: Int = 5, quirks: ClusCa.Quirks = []) -> ClusCa {
    ClusCa(
      schedule: schedule, maximumOrder: order, clusters: clusters, propagation: 0.3,
      propagatingStreams: [.image, .text], quirks: quirks)
  }

  private static let policies: [any FeatureCachePolicy] = [
    NoCaching(), FORA(schedule: schedule), TaylorSeer(schedule: schedule, maximumOrder: 2), clusca(order: 2),
    clusca(quirks: [.authorsCode, .textTakesImageOutputs]),
  ]

  @Test(arguments: [[1], [2], [3], [4], [1, 2], [2, 3], [1, 4], [1, 2, 3, 4]])
  func everyCutIntoStagesGivesTheSameBitsWithEveryPolicy(cuts: [Int]) async throws {
    let model = try TinyHunyuanVideo()
    for policy in Self.policies {
      let task = model.task(policy, steps: 9, isGuided: true)
      let whole = try await model.latents(task)
      #expect(whole.count == 9 && whole.allSatisfy { $0.elements.allSatisfy { $0.isFinite } })
      #expect(try await model.latents(task, cuts: cuts) == whole, "\(policy)")
    }
  }

  @Test func anIntervalOfOneEqualsNoCachingBitForBit() async throws {
    let model = try TinyHunyuanVideo()
    var policy = Self.clusca()
    policy.schedule = IntervalSchedule(interval: 1, enhancedSteps: 1)
    #expect(try await model.latents(model.task(policy)) == model.latents(model.task(NoCaching())))
  }

  @Test func withoutClustersItEqualsTaylorSeerBitForBit() async throws {
    let model = try TinyHunyuanVideo()
    let taylor = TaylorSeer(schedule: Self.schedule, maximumOrder: 1)
    #expect(
      try await model.latents(model.task(Self.clusca(clusters: 0))) == model.latents(model.task(taylor)))
  }

  @Test func anyNumberOfThreadsGivesTheSameBits() async throws {
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    let model = try TinyHunyuanVideo()
    var runs: [[Tensor]] = []
    for count in [1, 2, 4] {
      ThreadPool.shared.setThreads(count)
      runs.append(try await model.latents(model.task(Self.clusca(order: 2))))
    }
    #expect(runs[1] == runs[0] && runs[2] == runs[0])
  }

  /// The hidden states of both streams behind the last double block, step by step. At cached steps nothing attends to the
  /// text, so that the video does not show what becomes of it.
  private func streams(
    _ model: TinyHunyuanVideo, _ policy: ClusCa
  ) async throws -> (video: [Tensor], text: [Tensor]) {
    let seen = Mutex<[String: Tensor]>([:])
    let denoiser = Denoiser(model.task(policy, steps: 4), over: try model.transport()) { step, _ in
      Probe { name, tensor in seen.withLock { $0["\(step).\(name)"] = tensor } }
    }
    for try await _ in denoiser {}
    let all = seen.withLock { $0 }
    func states(_ part: Int) -> [Tensor] { (0..<4).compactMap { all["\($0).transformer_blocks.1.\(part)"] } }
    return (states(0), states(1))
  }

  @Test func textPropagatesOnlyWhereItsStreamDoes() async throws {
    let model = try TinyHunyuanVideo()
    var imageOnly = Self.clusca()
    imageOnly.propagatingStreams = [.image]
    let (both, alone) = (try await streams(model, Self.clusca()), try await streams(model, imageOnly))
    #expect(both.video == alone.video && both.video.count == 4)
    #expect(both.text[0] == alone.text[0] && both.text[1] != alone.text[1])
  }

  @Test func theDefectOfTheAuthorsCodeIsThereOnlyIfAskedFor() async throws {
    let model = try TinyHunyuanVideo()
    let fixed = try await streams(model, Self.clusca(quirks: .authorsCode))
    let defective = try await streams(model, Self.clusca(quirks: [.authorsCode, .textTakesImageOutputs]))
    #expect(defective.video == fixed.video)
    #expect(defective.text[0] == fixed.text[0] && defective.text[1] != fixed.text[1])
    #expect(CacheSettings.hunyuan.quirks == [])
    var settings = CacheSettings.hunyuan
    try settings.apply("quirks=authors")
    #expect(settings.quirks == [.authorsCode, .textTakesImageOutputs])
    var flux = CacheSettings.flux
    try flux.apply("quirks=authors")
    #expect(flux.quirks == .authorsCode)
  }

  @Test func paddingChangesNothingOfTheVideo() async throws {
    let model = try TinyHunyuanVideo()
    guard case .text(let text, let pooled, _) = model.inputs(1).condition else { return }
    func latents(_ text: Tensor, valid: Int?) async throws -> Tensor? {
      var inputs = model.inputs(1)
      inputs.condition = .text(text, pooled: pooled, validTokens: valid)
      return try await model.latents(model.task(NoCaching(), steps: 2, inputs: inputs)).last
    }
    let valid = TinyHunyuanVideo.validTokens
    let expected = try #require(try await latents(text, valid: valid))
    var other = text
    for index in valid * text.columns..<other.count { other[index] = Float(index % 7) - 3 }
    #expect(try await latents(other, valid: valid) == expected)
    // Without padding the products have other sizes, so that sums may be rounded otherwise.
    let bare = try #require(try await latents(text.rows(0..<valid), valid: nil))
    #expect(zip(bare.elements, expected.elements).allSatisfy { abs($0 - $1) < 1e-4 })
    #expect(try await latents(text, valid: valid + 1) != expected)
  }

  @Test func stagesHoldTheBytesThatThePolicyPlansAndFreeThemAtTheEnd() async throws {
    let model = try TinyHunyuanVideo()
    let policy = Self.clusca(order: 1)
    let transport = try model.transport(cuts: [1, 3])
    let branches = model.configuration.branches(
      videoTokens: TinyHunyuanVideo.grid.tokens, textTokens: TinyHunyuanVideo.textTokens)
    let series = TaylorSeer(schedule: policy.schedule, maximumOrder: 1)
    let centroids = 2 * 5 * model.configuration.width * 4
    let least = branches.reduce(centroids) { $0 + series.byteCount($1) }
    let forecasts = TinyFamily.forecastBytes(policy, branches)
    let most = branches.reduce(centroids) { $0 + policy.byteCount($1) } + 3 * forecasts
    var denoiser = Denoiser(model.task(policy, steps: 6), over: transport).makeAsyncIterator()
    for step in 0..<6 {
      _ = try await denoiser.next()
      // Both orders are there after the second full step, number 4.
      if step >= 4 { #expect((least...most).contains(await transport.cacheBytes)) }
    }
    #expect(try await denoiser.next() == nil)
    #expect(await transport.cacheBytes == 0)
  }
}
