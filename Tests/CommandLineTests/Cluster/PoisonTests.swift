import Foundation
import StrictJSON
import Testing

@testable import clusca

/// Jobs that kill whatever worker computes them, and workers that die of whatever job they compute, as processes.
@Suite(.timeLimit(.minutes(3)), .serialized) struct PoisonTests {
  private static let poison = 666
  /// One of twenty is poison.
  private static let seeds = (1...20).map { $0 == 8 ? poison : $0 }

  /// The pixels of all seeds, computed by one process.
  private static func references(_ seeds: [Int]) throws -> [Int: [UInt8]] {
    let folder = try TemporaryFolder()
    let outcome = try Program.run(
      ["generate", "-m", TinyModels.dev] + TinyModels.small + request(seeds) + ["-o", "\(folder.path)/%d.png"])
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try seeds.enumerated().reduce(into: [:]) { pixels, seed in
      pixels[seed.element] = try DurableCoordinator.pixels("\(folder.path)/\(seed.offset).png")
    }
  }

  private static func request(_ seeds: [Int]) -> [String] { ["-p", "a cat"] + seeds.flatMap { ["--seed", "\($0)"] } }

  /// Starts workers again as they end, until all jobs have.
  ///
  /// - Returns: how many were started again.
  private func waitForTheEnd(of cluster: DurableCoordinator) async throws -> Int {
    var restarts = 0
    while try cluster.jobs().contains(where: { $0["ended"] == nil }) {
      restarts += try cluster.restartWorkers()
      try await Task.sleep(for: .milliseconds(20))
    }
    return restarts
  }

  /// Whether the jobs of these seeds, numbered from 1 on in their order, are done and right.
  private func expectDone(_ seeds: [Int], except poison: Int? = nil, in cluster: DurableCoordinator) throws {
    let references = try Self.references(seeds.filter { $0 != poison })
    let good = seeds.indices.filter { seeds[$0] != poison }
    let fetched = try Program.run(
      ["fetch", "--coordinator", cluster.address] + good.map { "\($0 + 1)" } + [
        "-o", "\(cluster.folder.path)/f-%d.png",
      ])
    #expect(fetched.status == 0, "\(fetched.errors)")
    for index in good {
      #expect(try cluster.pixels("f-\(index + 1).png") == references[seeds[index]], "\(seeds[index])")
    }
  }

  private func states(_ cluster: DurableCoordinator) throws -> [String] {
    let status = try JSONValue(parsing: cluster.client("status", "--json").output)
    return status["workers"]?.array?.compactMap { $0["state"]?.string } ?? []
  }

  @Test(arguments: [1, 2, 4])
  func aJobThatKillsItsWorkersIsQuarantinedAndTheOthersAreDone(workers: Int) async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    for _ in 0..<workers { try cluster.startWorker(crash: "stage.step.\(Self.poison)") }
    let submitted = try cluster.submit(Self.request(Self.seeds) + ["--detach"])
    #expect(submitted.status == 0, "\(submitted.errors)")
    let restarts = try await waitForTheEnd(of: cluster)
    let jobs = try cluster.jobs()
    let poisoned = try #require(jobs.first { $0["id"]?.int == 8 })
    #expect(poisoned["state"] == "failed" && poisoned["reason"] == "quarantined")
    #expect(poisoned["attempts"]?.int ?? 0 <= 6 && restarts <= 6, "\(poisoned["attempts"]?.int ?? 0) \(restarts)")
    #expect(jobs.count { $0["state"] == "done" } == Self.seeds.count - 1)
    try expectDone(Self.seeds, except: Self.poison, in: cluster)
    #expect(try !states(cluster).contains("set aside"))
    #expect(cluster.process?.errors.contains("is set aside") == false)
  }

  @Test func aWorkerThatDiesOfEveryJobIsAvoidedAndOthersDoThem() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    try cluster.startWorker(crash: "stage.step")
    for _ in 0..<2 { try cluster.startWorker() }
    for name in ["w0", "w1", "w2"] { try await cluster.process?.says("The worker \(name) is here") }
    let seeds = Array(1...10)
    #expect(try cluster.submit(Self.request(seeds) + ["--detach"]).status == 0)
    let restarts = try await waitForTheEnd(of: cluster)
    #expect((1...3).contains(restarts))
    #expect(try cluster.jobs().allSatisfy { $0["state"] == "done" })
    try expectDone(seeds, in: cluster)
    #expect(cluster.process?.errors.contains("is set aside") == false)
  }

  /// Nobody else does stages, so that it cannot be avoided.
  @Test func aWorkerThatDiesOfThreeJobsIsSetAsideAndTheJobsWaitForAnother() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    try cluster.startWorker(crash: "stage.step")
    try cluster.startWorker(roles: "encode,decode")
    for name in ["w0", "w1"] { try await cluster.process?.says("The worker \(name) is here") }
    let seeds = Array(1...6)
    #expect(try cluster.submit(Self.request(seeds) + ["--detach"]).status == 0)
    var restarts = 0
    while cluster.process?.errors.contains("The worker w0 is set aside") == false {
      restarts += try cluster.restartWorkers()
      try await Task.sleep(for: .milliseconds(20))
    }
    // The third may not have been started again.
    #expect((2...3).contains(restarts))
    restarts += try cluster.restartWorkers()
    try await cluster.process?.says("Jobs wait: All workers with the model flux-dev-tiny are set aside")
    try cluster.startWorker()
    #expect(try await waitForTheEnd(of: cluster) == 0)
    #expect(try cluster.jobs().allSatisfy { $0["state"] == "done" })
    try expectDone(seeds, in: cluster)
    #expect(try states(cluster).contains("set aside"))
  }
}
