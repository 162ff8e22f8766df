/// Cuts among workers of one order, of which some may be left out: exact for the order, quick for any number of workers.
struct OrderedSearch: StageSearch {
  let costs: StageCosts
  let order: [Int]

  /// What the stages from a block on take.
  private struct Rest {
    var stages: Int
    var latency: Int

    static let none = Rest(stages: 1 << 30, latency: 1 << 60)
  }

  func isPossible(limit: Int, latency: Int) -> Bool { leastLatency(limit: limit).map { $0 <= latency } ?? false }

  func leastLatency(limit: Int) -> Int? {
    let first = table(limit, countsStages: false)[0]
    return first.stages < Rest.none.stages ? first.latency : nil
  }

  func best(limit: Int, latency: Int) -> CutModel? {
    if let cut = cut(limit, countsStages: true), cut.latency <= latency { return cut }
    // More stages can take less time together, on faster workers.
    return cut(limit, countsStages: false).flatMap { $0.latency <= latency ? $0 : nil }
  }

  private func isBetter(_ a: Rest, _ b: Rest, _ countsStages: Bool) -> Bool {
    if countsStages, a.stages != b.stages { return a.stages < b.stages }
    return (a.latency, a.stages) < (b.latency, b.stages)
  }

  /// The best rest by place in the order and first block.
  private func table(_ limit: Int, countsStages: Bool) -> [Rest] {
    let (blocks, width) = (costs.blocks, costs.blocks + 1)
    var table = [Rest](repeating: .none, count: (order.count + 1) * width)
    table[order.count * width + blocks] = Rest(stages: 0, latency: 0)
    for place in order.indices.reversed() {
      table[place * width + blocks] = Rest(stages: 0, latency: 0)
      for first in 0..<blocks {
        var best = table[(place + 1) * width + first]
        for end in first + 1...blocks {
          let cost = costs[order[place], first, end]
          guard cost <= limit else { continue }
          let rest = table[(place + 1) * width + end]
          let whole = Rest(stages: rest.stages + 1, latency: rest.latency + cost)
          if isBetter(whole, best, countsStages) { best = whole }
        }
        table[place * width + first] = best
      }
    }
    return table
  }

  private func cut(_ limit: Int, countsStages: Bool) -> CutModel? {
    let (blocks, width) = (costs.blocks, costs.blocks + 1)
    let table = table(limit, countsStages: countsStages)
    guard table[0].stages < Rest.none.stages else { return nil }
    var parts: [CutModel.Part] = []
    var first = 0
    for place in order.indices where first < blocks {
      let whole = table[place * width + first]
      let end = (first + 1...blocks).last { end in
        let cost = costs[order[place], first, end]
        let rest = table[(place + 1) * width + end]
        return cost <= limit && rest.stages + 1 == whole.stages && rest.latency + cost == whole.latency
      }
      guard let end else { continue }
      parts.append(CutModel.Part(worker: order[place], blocks: first..<end))
      first = end
    }
    return CutModel(parts, costs)
  }
}
