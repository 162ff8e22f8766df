/// Shares workers out among replicas of a model: pipelines side by side, each of which does whole samples.
///
/// A pipeline is as fast as its slowest stage, and blocks are few and unlike; two pipelines of one worker each have no
/// stage that waits for another one, no traffic between stages, and a worker that is lost costs the samples of its own
/// pipeline only. They take the weights twice, so that of plans which are nearly equally fast the one with the fewest
/// replicas is taken. Models that no single worker can hold are shared out among several in any case.
public enum ReplicaPlanner {
  /// Plans with more replicas must be at least so many times as fast.
  private static let worthwhileGain = 1.05
  /// A sample takes at most so many times as long in any replica as in the fastest: somebody waits for it.
  private static let mostUnequal = 1.5
  /// All numbers of replicas up to this one are looked at; above, for each number of workers that a replica has at least,
  /// the most replicas.
  private static let exhaustiveNumber = 8

  /// - Parameters:
  ///   - samples: how many are rendered at once; at least 1. There are no more replicas.
  ///   - most: replicas.
  /// - Returns: a plan for each replica, of different workers each.
  /// - Throws: ``StagePlanFailure`` with the numbers, if the workers cannot hold the model.
  public static func plan(
    blocks: [BlockCost], workers: [WorkerCapacity], samples: Int, overheadBytes: Int, most: Int = .max
  ) throws(StagePlanFailure) -> [StagePlan] {
    let one = try StagePlanner.plan(
      blocks: blocks, workers: workers, samplesInFlight: samples, overheadBytes: overheadBytes)
    var choices = [(plans: [one], rate: [one].rate(blocks, workers, samples: samples))]
    for number in numbers(upTo: min(most, workers.count, samples), workers: workers.count) {
      let plans = groups(of: workers, number).compactMap { group in
        try? StagePlanner.plan(
          blocks: blocks, workers: group, samplesInFlight: (samples + number - 1) / number,
          overheadBytes: overheadBytes)
      }
      guard plans.count == number, areAlike(plans, blocks, workers) else { continue }
      choices.append((plans, plans.rate(blocks, workers, samples: samples)))
    }
    let best = choices.map(\.rate).max() ?? 0
    return choices.first { $0.rate * worthwhileGain > best }?.plans ?? [one]
  }

  private static func numbers(upTo most: Int, workers: Int) -> [Int] {
    guard most > 1 else { return [] }
    return (2...most).filter { $0 <= exhaustiveNumber || $0 == most || workers / $0 > workers / ($0 + 1) }
  }

  /// Equally fast ones, nearly: the fastest first, each worker joins those that are slowest together.
  private static func groups(of workers: [WorkerCapacity], _ number: Int) -> [[WorkerCapacity]] {
    var groups = [[WorkerCapacity]](repeating: [], count: number)
    var speeds = [Double](repeating: 0, count: number)
    let sorted = workers.sorted { ($1.operationsPerSecond, $0.name) < ($0.operationsPerSecond, $1.name) }
    for worker in sorted {
      let slowest = speeds.indices.min { (speeds[$0], $0) < (speeds[$1], $1) } ?? 0
      groups[slowest].append(worker)
      speeds[slowest] += worker.operationsPerSecond
    }
    return groups
  }

  private static func areAlike(_ plans: [StagePlan], _ blocks: [BlockCost], _ workers: [WorkerCapacity]) -> Bool {
    let latencies = plans.map { $0.meanSeconds(blocks, workers).reduce(0, +) }
    return (latencies.max() ?? 0) <= (latencies.min() ?? 0) * mostUnequal
  }
}

extension StagePlan {
  /// What each stage takes of a step of a sample, on the average of a run; infinite if its worker is not among `workers`.
  func meanSeconds(_ blocks: [BlockCost], _ workers: [WorkerCapacity]) -> [Double] {
    stages.map { stage in
      guard let worker = workers.first(where: { $0.name == stage.worker }) else { return .infinity }
      let costs = blocks[stage.blocks]
      return worker.seconds(
        meanOperations: costs.reduce(0) { $0 + $1.meanOperations }, behind: costs.last)
    }
  }
}

/// How fast samples follow each other in a pipeline, on the average of a run.
struct MeanPace {
  private let slowest: Double
  private let latency: Double
  private let mostSamples: Int

  init(_ plan: StagePlan, _ blocks: [BlockCost], _ workers: [WorkerCapacity]) {
    let seconds = plan.meanSeconds(blocks, workers)
    (slowest, latency, mostSamples) = (seconds.max() ?? 0, seconds.reduce(0, +), max(1, plan.samples))
  }

  /// Seconds in which each of so many samples gets one step further.
  func seconds(samples: Int) -> Double { Double(samples) * period(samples) }

  /// Seconds from one sample's step to the next one's with so many in flight.
  func period(_ samples: Int) -> Double { max(slowest, latency / Double(max(1, min(samples, mostSamples)))) }
}

extension [StagePlan] {
  /// Steps of samples a second, with so many samples in all in flight.
  func rate(_ blocks: [BlockCost], _ workers: [WorkerCapacity], samples: Int) -> Double {
    let paces = map { MeanPace($0, blocks, workers) }
    var inFlight = [Int](repeating: 0, count: count)
    for _ in 0..<samples {
      let next = indices.min { a, b in
        paces[a].seconds(samples: inFlight[a] + 1) < paces[b].seconds(samples: inFlight[b] + 1)
      }
      if let next { inFlight[next] += 1 }
    }
    return zip(paces, inFlight).reduce(0) { sum, next in
      let (pace, samples) = next
      return samples > 0 && pace.period(samples) > 0 ? sum + 1 / pace.period(samples) : sum
    }
  }
}
