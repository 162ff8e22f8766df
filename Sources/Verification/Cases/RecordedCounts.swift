import Synchronization

/// How many orders a branch's series had at the end of a step.
final class OrderCounts: Sendable {
  private let counts = Mutex<[String: Int]>([:])

  func note(_ name: String, step: Int) {
    guard name.hasPrefix("cache."), let dot = name.lastIndex(of: ".") else { return }
    counts.withLock { $0["\(step).\(name[..<dot])", default: 0] += 1 }
  }

  func orders(step: Int, branch: String) -> Int { counts.withLock { $0["\(step).\(branch)"] ?? 0 } }
}

/// How many iterations each clustering took. The authors' code clusters all rows of a batch in one loop, which ends with
/// the row that takes longest; here every sample has its own.
final class IterationCounts: Sendable {
  private let most = Mutex<[String: Float]>([:])

  func note(_ name: String, _ count: Float) { most.withLock { $0[name] = max($0[name] ?? 0, count) } }

  func check(_ comparison: GoldenComparison) {
    for (name, count) in most.withLock({ $0 }) { comparison.check(name, [Double(count)]) }
  }
}
