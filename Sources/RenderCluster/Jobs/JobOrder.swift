/// Whose turn it is: of jobs of one priority, those of different clients take turns, so that a client with a thousand jobs
/// does not keep another with one waiting.
struct JobOrder {
  /// Places in the list that was given, in the order of their turns.
  let places: [Int]

  /// - Parameters:
  ///   - jobs: in any order.
  ///   - running: the clients of jobs that have had their turn and are not done, one by one.
  init(_ jobs: [LedgerJob], beside running: [String]) {
    var counts: [String: Int] = [:]
    for client in running { counts[client, default: 0] += 1 }
    let byNumber = jobs.indices.sorted { (-jobs[$0].priority, jobs[$0].id) < (-jobs[$1].priority, jobs[$1].id) }
    var turns = [Int](repeating: 0, count: jobs.count)
    for place in byNumber {
      turns[place] = counts[jobs[place].client, default: 0]
      counts[jobs[place].client, default: 0] += 1
    }
    places = byNumber.sorted { left, right in
      (-jobs[left].priority, turns[left], jobs[left].id) < (-jobs[right].priority, turns[right], jobs[right].id)
    }
  }
}

extension LedgerJob {
  /// A job that is in no ledger: of the process itself.
  static func unknown(_ id: UInt64) -> LedgerJob {
    LedgerJob(id: id, client: "", key: [], request: "", model: "", steps: 0, accepted: 0)
  }
}
