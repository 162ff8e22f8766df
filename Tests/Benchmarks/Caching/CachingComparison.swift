import Rendering
import StrictJSON

/// All methods on all prompts at one guidance scale.
struct CachingComparison {
  private var uncached: UncachedResult
  private var results: [CachingResult]

  /// - Parameters:
  ///   - requests: one a prompt, without a cache; the session was made for them.
  ///   - progress: what the lines about finished prompts begin with.
  init(_ requests: [RenderRequest], variants: [CachingVariant], session: RenderSession, progress: String) async throws {
    let model = session.model
    let first = requests[0]
    let cost = model.cost(model.grid(first), textTokens: first.textTokens)
    uncached = UncachedResult(
      summary: RunSummary(
        first.cache.policy, kinds: first.cache.policy.plannedSteps(first.steps).map(\.kind), rows: first.rows,
        cost: cost))
    results = variants.map { variant in
      CachingResult(variant, request: variant.request(first, preset: model.cachePreset), model: model)
    }
    // The first picture of a process pays for pages and caches that all others find ready.
    _ = try await RenderedPicture(variants[0].request(first, preset: model.cachePreset), session)
    for (number, request) in requests.enumerated() {
      let watch = Stopwatch()
      let reference = try await RenderedPicture(request, session)
      uncached.add(reference)
      // Another method begins each time, so that none always follows the same one.
      for turn in results.indices {
        let index = (turn + number) % results.count
        let rendered = try await RenderedPicture(
          results[index].variant.request(request, preset: model.cachePreset), session)
        try results[index].add(rendered, uncached: reference)
      }
      Report.note("\(progress): prompt \(number + 1) of \(requests.count), \(Report.fixed(watch.seconds, 1)) s")
    }
  }

  private func clusca(_ interval: Int) -> CachingResult? {
    results.first { $0.variant == CachingVariant(method: .clusca, interval: interval) }
  }

  var table: [[String]] {
    [CachingResult.tableHeader, uncached.tableRow]
      + results.map { $0.tableRow(uncached, clusca: clusca($0.variant.interval)) }
  }

  var json: JSONObject {
    [
      "uncached": .object(uncached.json),
      "methods": .array(results.map { .object($0.json(uncached, clusca: clusca($0.variant.interval))) }),
    ]
  }
}
