import ArgumentParser
import FeatureCaching
import Measuring
import Rendering
import StrictJSON
import Tensors
import Transformers

/// `Benchmarks growth`: how steps and their memory grow with tokens, width and threads.
struct Growth: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures how steps and their memory grow with tokens, width and threads.",
    discussion: """
      Two blocks of FLUX, one of each kind, with random weights, with each number of tokens, heads and threads that is \
      named. Memory is what a full step takes at its peak beside weights and what caches had before.
      """)

  @Option(parsing: .upToNextOption, help: "Tokens of the picture, squares of whole numbers.")
  var tokens = [256, 1024, 4096, 16384]

  @Option(parsing: .upToNextOption, help: "Heads of 128 dimensions; FLUX.1 has 24.")
  var heads = [12, 24]

  @Option(parsing: .upToNextOption, help: "Threads to compute with.")
  var threads = [1, 2]

  @Option(help: "Tokens of the prompt.")
  var textTokens = 256

  @Option(help: "bfloat16, float32 or int8.")
  var dtype: Precision = .bfloat16

  @Option(help: "How often each step is timed.")
  var rounds = 2

  func validate() throws {
    for count in tokens where count < 1 || Self.side(count) * Self.side(count) != count {
      throw ValidationError("--tokens must be squares, which \(count) is not")
    }
    guard (heads + threads + [textTokens, rounds]).allSatisfy({ (1...4096).contains($0) }) else {
      throw ValidationError("heads, threads, prompts and rounds are 1 to 4096")
    }
  }

  func run() throws {
    var rows = [
      ["tokens", "width", "threads", "full s", "GF/s", "cached ms", "of full", "memory MB", "of it a token KB"]
    ]
    var results: [JSONValue] = []
    for heads in heads {
      for tokens in tokens {
        for threads in threads {
          ThreadPool.shared.setThreads(threads)
          let point = try Self.measure(tokens, textTokens, heads, dtype, rounds)
          rows.append(
            ["\(tokens)", "\(128 * heads)", "\(threads)"] + [
              Report.fixed(point.full.minimum, 3), Report.fixed(point.operations / point.full.minimum / 1e9, 0),
              Report.fixed(1000 * point.cached.minimum, 1),
              Report.fixed(point.cached.minimum / point.full.minimum, 4), Report.fixed(Double(point.memory) / 1e6, 1),
              Report.fixed(Double(point.memory) / 1e3 / Double(tokens + textTokens), 1),
            ])
          results.append([
            "tokens": .integer(tokens), "text_tokens": .integer(textTokens), "width": .integer(128 * heads),
            "threads": .integer(threads), "operations": .number(point.operations), "full_seconds": point.full.timeJSON,
            "cached_seconds": point.cached.timeJSON, "memory_bytes": .integer(point.memory),
          ])
          Report.note("\(tokens) tokens, width \(128 * heads), threads \(threads)")
        }
      }
    }
    Report.table(rows)
    Report.json([
      "benchmark": "growth", "machine": .object(Report.machine), "dtype": .string(dtype.rawValue),
      "rounds": .integer(rounds), "points": .array(results),
    ])
  }

  private struct Point {
    let operations: Double
    var full = Sample()
    var cached = Sample()
    /// Bytes.
    var memory = 0
  }

  /// The distance of full steps.
  private static let interval = 5

  private static func measure(
    _ tokens: Int, _ textTokens: Int, _ heads: Int, _ dtype: Precision, _ rounds: Int
  ) throws -> Point {
    let side = side(tokens)
    let source = try StepSample.flux(
      dtype, double: 1, single: 1, heads: heads, grid: TokenGrid(rows: side, columns: side), textTokens: textTokens)
    var settings = CacheSettings.flux
    (settings.interval, settings.enhancedSteps) = (interval, 1)
    let sample = try SteppedSample(source, settings.policy)
    sample.prepare()
    var point = Point(operations: source.branches.reduce(0) { $0 + Double($1.operations) })
    for index in 0..<2 { _ = sample.fullStep(index * interval) }
    for round in 0..<rounds {
      // What earlier steps left for later ones is given back, so that all that the next one takes is seen.
      RecycledMemory.giveBack()
      let before = ProcessMemory.resident ?? 0
      ProcessMemory.resetPeak()
      point.full.values.append(sample.fullStep((2 + round) * interval).total)
      point.memory = max(point.memory, (ProcessMemory.peakResident ?? 0) - before)
      point.cached.values.append(sample.cachedSteps(behind: (2 + round) * interval, interval: interval))
    }
    return point
  }

  private static func side(_ tokens: Int) -> Int { Int(Double(max(tokens, 0)).squareRoot().rounded()) }
}
