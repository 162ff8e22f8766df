import ArgumentParser
import Foundation
import Measuring
import StrictJSON
import Tensors

/// `Benchmarks parts`: text encoders and decoders beside PyTorch.
struct Parts: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures text encoders and decoders in real sizes with random weights, beside PyTorch.",
    discussion: """
      PyTorch makes the weights, and computes with the same numbers in the same type. Of T5 and Llama a layer is timed, \
      since layers repeat. Decoders compute in float32 here, whatever the weights are in.
      """)

  @Option(
    parsing: .upToNextOption, help: "What to time: \(PartModel.allCases.map(\.rawValue).joined(separator: ", ")).")
  var parts: [PartModel] = PartModel.allCases

  @Option(help: "How often each is timed.")
  var rounds = 5

  @Option(help: "A Python with PyTorch, diffusers and transformers (Tests/Benchmarks/PyTorch/requirements.txt).")
  var python: String

  @Option(help: "Threads to compute with.")
  var threads: Int?

  func validate() throws {
    guard (1...99).contains(rounds) else { throw ValidationError("--rounds must be 1 to 99") }
    guard threads.map({ (1...1024).contains($0) }) ?? true else { throw ValidationError("--threads must be 1 to 1024") }
  }

  func run() throws {
    if let threads { ThreadPool.shared.setThreads(threads) }
    let temporary = FileManager.default.temporaryDirectory.path
    var rows = [["part", "dtype", "s", "median", "by", "s", "median", "times ours", "median"]]
    var results: [JSONValue] = []
    for part in parts {
      for precision in part.precisions {
        let place = "\(temporary)/clusca-\(getpid())-\(part.rawValue)-\(precision.rawValue)"
        defer { try? FileManager.default.removeItem(atPath: place) }
        Report.note("\(part.rawValue) in \(precision.rawValue): warming up PyTorch")
        let others = try [false, true].map { isCompiled in
          try OtherProgram.pyTorch(
            python: python, script: "parts.py", subject: [part.rawValue, place], precision: precision,
            isCompiled: isCompiled)
        }
        defer { for other in others { other.stop() } }
        let work = try part.open(folder: place, precision)
        var times = Sample()
        for round in 0...rounds {
          let watch = Stopwatch()
          try work()
          if round > 0 { times.values.append(watch.seconds) }  // the first one warms up
          if round > 0 { for other in others { try other.measure() } }
        }
        for other in others {
          // Compiling takes minutes: what is known is told at once.
          Report.note(
            "\(part.rawValue) in \(precision.rawValue): \(Report.fixed(times.median, 4)) s, \(other.name) "
              + "\(Report.fixed(other.times.ratio(to: times).median, 2)) times as long")
          rows.append([
            part.rawValue, precision.rawValue, Report.fixed(times.minimum, 4), Report.fixed(times.median, 4),
            other.name,
            Report.fixed(other.times.minimum, 4), Report.fixed(other.times.median, 4),
            Report.fixed(other.times.minimum / times.minimum, 2), Report.fixed(other.times.ratio(to: times).median, 2),
          ])
        }
        results.append([
          "name": .string(part.rawValue), "title": .string(part.title), "dtype": .string(precision.rawValue),
          "seconds": times.timeJSON,
          "others": .array(
            others.map { other in
              [
                "name": .string(other.name), "versions": .string(other.versions), "seconds": other.times.timeJSON,
                "times_ours": .number(other.times.minimum / times.minimum),
                "median_times_ours": .number(other.times.ratio(to: times).median),
              ]
            }),
        ])
      }
    }
    Report.table(rows)
    Report.json([
      "benchmark": "parts", "machine": .object(Report.machine), "rounds": .integer(rounds), "parts": .array(results),
    ])
  }
}
