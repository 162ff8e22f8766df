import FeatureCaching
import Rendering
import StrictJSON
import Synchronization
import Tensors
import Transformers

/// Whole runs of the ClusCa authors' code on FLUX, with its random choices fed in.
enum FluxCachingCase: CaseRunner {
  static let kinds: Set<String> = ["clusca-flux (authors' code)"]

  static func isInput(_ name: String) -> Bool {
    name.hasPrefix("in.") || name.hasSuffix(".init_indices") || name.contains(".fresh.")
  }

  static func run(_ comparison: GoldenComparison) async throws {
    let checkpoint = try FluxCheckpoint(folder: comparison.golden.requiredCheckpoint)
    let settings = try Settings(comparison.golden)
    let transformer = try checkpoint.loadTransformer(.float32)
    let rows = try comparison.batch("in.img")
    let iterations = IterationCounts()
    for row in 0..<rows {
      try await run(comparison, row: row, transformer, checkpoint.scheduler, settings, iterations)
    }
    iterations.check(comparison)
  }

  private static func run(
    _ comparison: GoldenComparison, row: Int, _ transformer: FluxTransformer, _ scheduler: FlowMatchEuler,
    _ settings: Settings, _ iterations: IterationCounts
  ) async throws {
    let latents = try comparison.input("in.img", row: row)
    let positions = try comparison.input("in.img_ids", row: row)  // [tokens, 3]: index, row, column
    let rows = Int(positions.columns(1..<2).elements.max() ?? -1) + 1
    let columns = Int(positions.columns(2..<3).elements.max() ?? -1) + 1
    guard rows * columns == latents.rows else {
      return comparison.fail("in.img_ids holds no grid of \(latents.rows) tokens")
    }
    let schedule = scheduler.schedule(steps: settings.steps, imageTokens: latents.rows)
    // The authors' schedule counts timesteps from 1 to 0.
    comparison.check("sched.sigmas", schedule.sigmas.map(Double.init))
    comparison.check("sched.timesteps", schedule.timesteps.map { Double($0) })
    let choices = try RecordedChoices(comparison, row: row)
    let task = DenoisingTask(
      job: row, latents: latents, schedule: schedule,
      inputs: SampleInputs(
        grid: TokenGrid(rows: rows, columns: columns), text: try comparison.input("in.txt", row: row),
        pooled: try comparison.input("in.vec", row: row), guidance: settings.guidance),
      policy: settings.policy, choices: { _ in choices })
    let counts = OrderCounts()
    let denoiser = Denoiser(task, over: LocalTransport([Stage(transformer)])) { step, _ in
      Probe { name, tensor in
        counts.note(name, step: step)
        guard let name = recordedName(name, doubleBlocks: transformer.configuration.doubleBlocks) else { return }
        if name.hasSuffix(".iterations") {
          iterations.note("step\(step).\(name)", tensor[0])
        } else {
          comparison.check("step\(step).\(name)", tensor, row: row)
        }
      }
    }
    for try await step in denoiser {
      comparison.check("step\(step.index).model_out", step.output, row: row)
      comparison.check("step\(step.index).latents", step.latents, row: row)
      for block in 0..<transformer.configuration.doubleBlocks {
        let orders = counts.orders(step: step.index, branch: "cache.\(block).image.attention")
        comparison.check("step\(step.index).cache.double\(block).img_attn.orders", integers: [Int64(orders)])
      }
    }
  }

  /// The name under which the authors' run recorded a tensor; nil if it did not.
  private static func recordedName(_ name: String, doubleBlocks: Int) -> String? {
    let parts = name.split(separator: ".").map(String.init)
    let streams = ["image": "img", "text": "txt"]
    switch (parts.first, parts.count) {
    case ("transformer_blocks", 3) where ["0", "1"].contains(parts[2]):
      return "double.\(parts[1]).\(parts[2] == "1" ? "img" : "txt")"
    case ("single_transformer_blocks", 2): return "single.\(parts[1])"
    case ("cache", 5) where parts[3] == "mlp":
      return streams[parts[2]].map { "cache.double\(parts[1]).\($0)_mlp.\(parts[4])" }
    case ("cache", 4) where parts[1] == "clusters": return streams[parts[2]].map { "kmeans.\($0)_mlp.\(parts[3])" }
    default: return nil
    }
  }

  /// The settings of the authors' run.
  private struct Settings: Sendable {
    let steps: Int
    let guidance: Float
    let policy: any FeatureCachePolicy

    init(_ golden: GoldenCase) throws {
      let config = try PartConfiguration(path: "\(golden.name) in manifest.json", json: golden.config)
      steps = try config.integer("steps", in: 1...10_000)
      guidance = Float(try config.number("guidance", default: 1))
      let schedule = IntervalSchedule(
        interval: try config.integer("interval_N", in: 1...10_000),
        enhancedSteps: try config.integer("first_enhance", default: 3, in: 1...10_000))
      let order = try config.integer("max_order_O", in: 0...64)
      let clusters = try config.integer("cluster_num_K", in: 0...1 << 20)
      switch (try config.string("mode"), clusters, order) {
      case ("ClusCa", 1..., _):
        let kMeans = golden.config["kmeans"] ?? .object([:])
        policy = ClusCa(
          schedule: schedule, maximumOrder: order, clusters: clusters,
          propagation: Float(try config.number("propagation_gamma", default: 0)),
          kMeansIterations: kMeans["max_iters"]?.int ?? 10, quirks: .authorsCode)
      case (_, _, 0): policy = FORA(schedule: schedule)
      default: policy = TaylorSeer(schedule: schedule, maximumOrder: order)
      }
    }
  }
}

/// The random choices that a run of the authors' code made for one row of a batch.
private struct RecordedChoices: TokenChoices {
  private var centroids: [TokenStream: [Int]] = [:]
  private var fresh: [Key: [Int]] = [:]

  private struct Key: Hashable {
    var step: Int
    var block: Int
    var stream: TokenStream
  }

  private static let streams: [String: TokenStream] = ["img_mlp": .image, "txt_mlp": .text]

  init(_ comparison: GoldenComparison, row: Int) throws {
    for name in comparison.recorded.names {
      let parts = name.split(separator: ".").map(String.init)
      guard parts.count == 4, parts[0].hasPrefix("step"), let step = Int(parts[0].dropFirst(4)) else { continue }
      let rows = { try comparison.recorded.tensor(name).rows(row..<row + 1).int64Values().map(Int.init) }
      if parts[1] == "kmeans", parts[3] == "init_indices", let stream = Self.streams[parts[2]] {
        centroids[stream] = try rows()
      } else if parts[1] == "fresh", let block = Int(parts[2].dropFirst("double".count)),
        let stream = Self.streams[parts[3]]
      {
        fresh[Key(step: step, block: block, stream: stream)] = try rows()
      }
    }
  }

  func initialCentroids(_ count: Int, of tokens: Int, stream: TokenStream) -> [Int] {
    // What was not recorded shows as a difference.
    let recorded = centroids[stream] ?? []
    return recorded.count == count && recorded.allSatisfy { $0 >= 0 && $0 < tokens }
      ? recorded : Array(repeating: 0, count: count)
  }

  func freshTokens(step: Int, branch: Branch, clusters: TokenClusters) -> [Int?] {
    let recorded = fresh[Key(step: step, block: branch.block, stream: branch.stream)] ?? []
    let fits = recorded.count == clusters.count && recorded.allSatisfy { clusters.labels.indices.contains($0) }
    return fits ? recorded : clusters.heaviestTokens(clusters.labels.map { _ in 0 })
  }
}

/// How many orders a branch's series had at the end of a step.
private final class OrderCounts: Sendable {
  private let counts = Mutex<[String: Int]>([:])

  func note(_ name: String, step: Int) {
    guard name.hasPrefix("cache."), let dot = name.lastIndex(of: ".") else { return }
    counts.withLock { $0["\(step).\(name[..<dot])", default: 0] += 1 }
  }

  func orders(step: Int, branch: String) -> Int { counts.withLock { $0["\(step).\(branch)"] ?? 0 } }
}

/// How many iterations each clustering took. The authors' code clusters all rows of a batch in one loop, which ends with
/// the row that takes longest; here every sample has its own.
private final class IterationCounts: Sendable {
  private let most = Mutex<[String: Float]>([:])

  func note(_ name: String, _ count: Float) { most.withLock { $0[name] = max($0[name] ?? 0, count) } }

  func check(_ comparison: GoldenComparison) {
    for (name, count) in most.withLock({ $0 }) { comparison.check(name, [Double(count)]) }
  }
}
