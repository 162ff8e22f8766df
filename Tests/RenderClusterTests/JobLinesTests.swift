import Testing

@testable import RenderCluster

@Suite struct JobLinesTests {
  private func job(_ random: inout SplitMix64, _ id: UInt64) -> LedgerJob {
    var job = LedgerJob(
      id: id, client: "client \(random.number(0...4))", key: [], request: "", model: "model \(random.number(0...2))",
      steps: 1, accepted: 0, priority: random.number(-1...1))
    job.isPaused = random.chance(0.1)
    return job
  }

  /// The rule, applied to all jobs.
  private func next(_ count: Int, _ jobs: [LedgerJob], beside running: [LedgerJob]) -> [UInt64] {
    let waiting = jobs.filter { job in !job.isPaused && !running.contains { $0.id == job.id } }
    var found: [String: Int] = [:]
    return JobOrder(waiting, beside: running.map(\.client)).places.map { waiting[$0] }.filter { job in
      found[job.model, default: 0] += 1
      return found[job.model, default: 0] <= count
    }.map(\.id)
  }

  @Test func theNextJobsAreThoseOfTheOrderOfAll() {
    var random = SplitMix64(seed: 1)
    for _ in 0..<200 {
      var lines = JobLines()
      var jobs: [LedgerJob] = []
      for id in 1...UInt64(random.number(1...60)) {
        let job = job(&random, id)
        jobs.append(job)
        if let place = job.place { lines.insert(place) }
      }
      for _ in 0..<10 where !jobs.isEmpty {
        let running = jobs.filter { _ in random.chance(0.1) }
        #expect(lines.next(3, beside: running) == next(3, jobs, beside: running))
        let gone = jobs.remove(at: random.number(0...jobs.count - 1))
        if let place = gone.place { lines.remove(place) }
      }
      for job in jobs { if let place = job.place { lines.remove(place) } }
      #expect(lines == JobLines())
    }
  }
}
