import FeatureCaching
import Tensors

/// The settings of a run of the ClusCa authors' code.
struct AuthorsSettings: Sendable {
  let steps: Int
  let guidance: Float
  let policy: any FeatureCachePolicy

  /// - Parameters:
  ///   - enhancedSteps: those of the model's code, where the case does not say.
  ///   - kMeansIterations: likewise.
  ///   - propagatingStreams: those of the model's code.
  ///   - quirks: likewise.
  init(
    _ golden: GoldenCase, enhancedSteps: Int, kMeansIterations: Int, propagatingStreams: Set<TokenStream> = [.image],
    quirks: ClusCa.Quirks = .authorsCode
  ) throws {
    let config = try PartConfiguration(path: "\(golden.name) in manifest.json", json: golden.config)
    steps = try config.integer("steps", in: 1...10_000)
    guidance = Float(try config.number("guidance", default: 1))
    let schedule = IntervalSchedule(
      interval: try config.integer("interval_N", in: 1...10_000),
      enhancedSteps: try config.integer("first_enhance", default: enhancedSteps, in: 1...10_000))
    let order = try config.integer("max_order_O", in: 0...64)
    let clusters = try config.integer("cluster_num_K", in: 0...1 << 20)
    let mode = try config.string("mode", default: clusters > 0 ? "ClusCa" : "Taylor")
    switch (mode, clusters, order) {
    case ("ClusCa", 1..., _):
      let kMeans = golden.config["kmeans"] ?? .object([:])
      policy = ClusCa(
        schedule: schedule, maximumOrder: order, clusters: clusters,
        propagation: Float(try config.number("propagation_gamma", default: 0)),
        propagatingStreams: propagatingStreams,
        kMeansIterations: kMeans["max_iters"]?.int ?? kMeansIterations, quirks: quirks)
    case (_, _, 0): policy = FORA(schedule: schedule)
    default: policy = TaylorSeer(schedule: schedule, maximumOrder: order)
    }
  }
}
