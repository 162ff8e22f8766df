import RenderCluster
import Tensors

/// All cuts of some blocks among some workers, one after the other: what the planner must equal.
struct PlanEnumeration {
  var blocks: [BlockCost]
  var workers: [WorkerCapacity]
  var samplesInFlight: Int
  var overheadBytes: Int

  /// What plans are compared by; times in nanoseconds.
  struct Value: Comparable, CustomStringConvertible {
    var period: Int
    var stages: Int
    var latency: Int

    static func < (a: Value, b: Value) -> Bool {
      (a.period, a.stages, a.latency) < (b.period, b.stages, b.latency)
    }

    var description: String { "period \(period), \(stages) stages, latency \(latency)" }
  }

  typealias Part = (worker: WorkerCapacity, blocks: Range<Int>)

  /// nil for a plan that does not fit.
  func value(_ parts: [Part]) -> Value? {
    var (slowest, latency, samples) = (0, 0, samplesInFlight)
    for (worker, range) in parts {
      let costs = blocks[range]
      let room = worker.memoryBytes - overheadBytes - costs.map(\.weightBytes).reduce(0, +)
      // What comes from the stage before and what goes to the next is there beside what is kept.
      let passing = [range.lowerBound - 1, range.upperBound - 1].filter { $0 >= 0 }.map { blocks[$0].transitBytes }
      let sample = (costs.map(\.cacheBytes) + passing).reduce(0, +)
      guard room >= sample else { return nil }
      if sample > 0 { samples = min(samples, room / sample) }
      let seconds =
        Double(costs.map(\.operations).reduce(0, +)) / worker.operationsPerSecond
        + Double(costs[range.upperBound - 1].stateBytes) / worker.bytesPerSecond
      let nanoseconds = Int((seconds * 1e9).rounded())
      slowest = max(slowest, nanoseconds)
      latency += nanoseconds
    }
    return Value(period: max(slowest, (latency + samples - 1) / samples), stages: parts.count, latency: latency)
  }

  func value(_ plan: StagePlan) -> Value? {
    value(
      plan.stages.compactMap { stage in
        workers.first { $0.name == stage.worker }.map { ($0, stage.blocks) }
      })
  }

  /// The value of the best of all plans; nil if none fits.
  var best: Value? {
    var best: Value?
    extend([], from: 0, with: workers) { parts in
      guard let value = value(parts) else { return }
      best = best.map { min($0, value) } ?? value
    }
    return best
  }

  private func extend(
    _ parts: [Part], from first: Int, with free: [WorkerCapacity], _ visit: ([Part]) -> Void
  ) {
    if first == blocks.count { return visit(parts) }
    for (index, worker) in free.enumerated() {
      var others = free
      others.remove(at: index)
      for end in first + 1...blocks.count { extend(parts + [(worker, first..<end)], from: end, with: others, visit) }
    }
  }

  /// Blocks and workers of random sizes, of which some are equal; memory is short in some.
  static func random(seed: UInt64) -> PlanEnumeration {
    let numbers = RandomKey(seed: seed, purpose: .test).uniforms(0..<200).map { Double($0) }
    var next = 0
    func draw(_ range: ClosedRange<Int>) -> Int {
      defer { next += 1 }
      return range.lowerBound + Int(numbers[next] * Double(range.count) * 0.999_999)
    }
    let state = draw(0...2) * 1000
    let transit = draw(0...3) * 60
    var blocks = (0..<draw(1...6)).map { _ in
      BlockCost(
        operations: draw(1...5) * 1000, weightBytes: draw(1...4) * 100, cacheBytes: draw(0...3) * 50,
        stateBytes: draw(0...4) == 0 ? 200 : state, transitBytes: transit)
    }
    blocks[blocks.count - 1].transitBytes = 0
    let roominess = draw(1...5)
    let workers = (0..<draw(1...4)).map { index in
      WorkerCapacity(
        name: "w\(index)", operationsPerSecond: Double(draw(1...4)) * 1000,
        memoryBytes: draw(1...4) * 150 * roominess, bytesPerSecond: Double(draw(1...3)) * 2000)
    }
    return PlanEnumeration(
      blocks: blocks, workers: workers, samplesInFlight: draw(1...5), overheadBytes: draw(0...2) * 30)
  }
}
