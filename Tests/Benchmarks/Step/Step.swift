import ArgumentParser
import FeatureCaching
import Measuring
import StrictJSON
import Tensors
import Transformers

/// `Benchmarks step`: a full and a cached step of a FLUX of any size.
struct Step: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures full and cached steps of a FLUX with random weights, part by part.",
    discussion: "The cached steps are ClusCa's. The baseline is the full step in float32.")

  @Option(help: "Width of the hidden states: heads times 128, or times 64 below 1024.")
  var width = 3072

  @Option(help: "Blocks with two streams.")
  var doubleBlocks = 1

  @Option(help: "Blocks with one stream.")
  var singleBlocks = 2

  @Option(help: "Width and height of the picture in pixels, 16 a token.")
  var size = 512

  @Option(help: "Text tokens.")
  var textTokens = 512

  @Option(parsing: .upToNextOption, help: "Precisions, by turns.")
  var dtype: [Precision] = Precision.allCases

  @Option(help: "How often each step is timed.")
  var rounds = 3

  @Option(help: "Threads to compute with.")
  var threads: Int?

  func validate() throws {
    guard width >= 64, width % (width < 1024 ? 64 : 128) == 0 else {
      throw ValidationError("--width \(width) is no multiple of 64, or from 1024 on of 128")
    }
    guard doubleBlocks >= 1, singleBlocks >= 0, rounds >= 1, (16...4096).contains(size), textTokens >= 1 else {
      throw ValidationError("A number is too small or too large")
    }
  }

  func run() throws {
    if let threads { ThreadPool.shared.setThreads(threads) }
    let configuration = configuration
    let source = try RandomFlux(configuration)
    let grid = TokenGrid(rows: size / 16, columns: size / 16)
    let policy = ClusCa(
      schedule: IntervalSchedule(interval: 5, enhancedSteps: 3), maximumOrder: 1, clusters: 16, propagation: 0.005,
      propagatingStreams: [.image], kMeansIterations: 10, quirks: [])
    let samples = try dtype.map { precision in
      Report.note("making the weights in \(precision.rawValue)")
      return try TimedSample(
        configuration, source, precision: precision, policy: policy, grid: grid, textTokens: textTokens)
    }
    for index in 0..<3 { for sample in samples { sample.step(index, .full, isTimed: false) } }
    for round in 0..<rounds {
      for sample in samples {
        let index = 7 + 5 * round
        sample.step(index, .full, isTimed: true)
        sample.step(index + 1, .cached(distance: 1), isTimed: true)
      }
      Report.note("round \(round + 1) of \(rounds)")
    }
    report(samples, grid)
  }

  private var configuration: FluxConfiguration {
    let headWidth = width < 1024 ? 64 : 128
    return FluxConfiguration(
      inputChannels: 64, outputChannels: 64, doubleBlocks: doubleBlocks, singleBlocks: singleBlocks,
      heads: width / headWidth, headWidth: headWidth, textWidth: width < 1024 ? width : 4096, pooledWidth: 768,
      embedsGuidance: true, ropeAxes: headWidth == 128 ? [16, 56, 56] : [8, 28, 28])
  }

  private func report(_ samples: [TimedSample], _ grid: TokenGrid) {
    let baseline = samples.first { $0.precision == .float32 }?.totals["full"]?.wall
    var rows = [["step", "dtype", "part", "ms", "median", "CPU ms", "times faster"]]
    var results: [JSONValue] = []
    for sample in samples {
      for kind in ["full", "cached"] {
        guard let total = sample.totals[kind], let parts = sample.times[kind] else { continue }
        let ratio = baseline.map { $0.minimum / total.wall.minimum }
        rows.append([
          kind, sample.precision.rawValue, "all", Report.fixed(1000 * total.wall.minimum, 1),
          Report.fixed(1000 * total.wall.median, 1), Report.fixed(1000 * total.processor.minimum, 1),
          ratio.map { Report.fixed($0, 2) } ?? "",
        ])
        for (part, wall) in parts {
          rows.append(["", "", part, Report.fixed(1000 * wall.minimum, 1), Report.fixed(1000 * wall.median, 1)])
        }
        results.append([
          "step": .string(kind), "dtype": .string(sample.precision.rawValue), "seconds": total.wall.timeJSON,
          "processor_seconds": total.processor.timeJSON, "times_faster": ratio.map(JSONValue.number) ?? .null,
          "parts": .array(parts.map { ["name": .string($0.part), "seconds": $0.wall.timeJSON] }),
        ])
      }
    }
    Report.table(rows)
    Report.json([
      "benchmark": "step", "baseline": "full step in float32", "machine": .object(Report.machine),
      "width": .integer(width), "double_blocks": .integer(doubleBlocks), "single_blocks": .integer(singleBlocks),
      "image_tokens": .integer(grid.tokens), "text_tokens": .integer(textTokens), "rounds": .integer(rounds),
      "steps": .array(results),
    ])
  }
}
