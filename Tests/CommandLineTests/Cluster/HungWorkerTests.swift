import Foundation
import StrictJSON
import Testing

@testable import clusca

/// Workers that answer and do not compute, as processes.
@Suite(.timeLimit(.minutes(3)), .serialized) struct HungWorkerTests {
  private static let request = ["-p", "a cat", "--steps", "8"]

  private func expectDone(_ cluster: DurableCoordinator) throws {
    let fetched = try cluster.client("fetch", "1", "-o", "\(cluster.folder.path)/x.png")
    #expect(fetched.status == 0, "\(fetched.errors)")
    #expect(try cluster.pixels("x.png") == DurableCoordinator.reference(Self.request))
  }

  private func stepsDone(_ cluster: DurableCoordinator) throws -> Int? {
    try cluster.jobs("1").first?["steps_done"]?.int
  }

  @Test func aWorkerWhoseStepDoesNotEndIsToldToGoAndItsJobIsDoneByAnother() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    let hung = try cluster.startWorker(faults: ["CLUSCA_HANG_AT": "stage.compute.before:4"])
    #expect(try cluster.submit(Self.request + ["--detach"]).output == "1\n")
    try await hung.says("stage.compute.before hangs")
    try cluster.startWorker()
    // It would be lost after six seconds if it did not answer.
    let coordinator = try #require(cluster.process)
    try await coordinator.says("The worker w0 is lost: ")
    let loss = try #require(coordinator.errors.firstMatch(of: /w0 is lost: it has computed nothing for (\d+) seconds/))
    #expect((10...30).contains(Int(loss.1) ?? 0), "\(loss.0)")
    // Whoever looks after it can start another.
    #expect(hung.end() == Status.refused.rawValue, "\(hung.errors)")
    #expect(hung.errors.contains("has stopped computing"), "\(hung.errors)")
    try expectDone(cluster)
    let job = try #require(cluster.jobs("1").first)
    #expect(job["attempts"] == 2)
    #expect(job["lost_workers"]?.array?.map { $0["worker"]?.string } == ["w0"])
    #expect(job["lost_workers"]?.array?.first?["step"] == 4)
  }

  /// The result is there when the other worker is at the same step, which only the fence tells apart.
  @Test func theResultOfAStepThatGoesOnLateHasNoEffect() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    let secondEnd = "\(cluster.folder.path)/second"
    // It does not hear that it is given up.
    let first = try cluster.startWorker(faults: ["CLUSCA_STOP_AT": "stage.compute.after:4"])
    #expect(try cluster.submit(Self.request + ["--detach"]).output == "1\n")
    try await first.says("stage.compute.after stops")
    let second = try cluster.startWorker(
      faults: ["CLUSCA_HANG_AT": "stage.compute.before:4", "CLUSCA_HANG_UNTIL": secondEnd])
    try await cluster.process?.says("The worker w0 is lost: it has been silent")
    try await second.says("stage.compute.before hangs")
    #expect(try stepsDone(cluster) == 3)

    first.signal(SIGCONT)
    try await first.says("stage.compute.after goes on")
    // Behind its result it learns that it has to say hello again.
    while cluster.process?.errors.components(separatedBy: "The worker w0 is here").count ?? 0 < 3 {
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(try stepsDone(cluster) == 3)
    try cluster.folder.file("second", "")
    try expectDone(cluster)
    #expect(try cluster.jobs("1").first?["attempts"] == 2)
    #expect(first.process.isRunning && second.process.isRunning)
  }
}
