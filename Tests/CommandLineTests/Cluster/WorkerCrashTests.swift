import Foundation
import Testing

@testable import clusca

/// Workers that are killed in the midst of their work, as processes.
@Suite(.timeLimit(.minutes(3)), .serialized) struct WorkerCrashTests {
  private static let request = ["-p", "a cat", "--steps", "40"]

  /// Where a worker is killed that has a job to itself, the first time that it gets there or a later one.
  private static let places = [
    "stage.load.before:1", "stage.load.after:1", "stage.step:1", "stage.step:9", "stage.compute.before:1",
    "stage.compute.before:17", "stage.compute.after:1", "stage.compute.after:40", "stage.snapshot.taken:1",
    "stage.snapshot.taken:3", "stage.snapshot.sent:1", "stage.snapshot.sent:3",
  ]

  @Test func aJobIsDoneWhereverItsWorkerIsKilled() throws {
    let reference = try DurableCoordinator.reference(Self.request)
    let cluster = try DurableCoordinator()
    // Snapshots before each full step.
    try cluster.start(more: "--failure-interval", "0")
    try cluster.startWorker()
    for (index, place) in Self.places.enumerated() {
      let worker = try cluster.replaceWorker(0, faults: ["CLUSCA_CRASH_AT": place])
      #expect(try cluster.submit(Self.request + ["--detach"]).output == "\(index + 1)\n")
      #expect(worker.end() == -SIGKILL, "\(place) is never reached: \(worker.errors)")
      try cluster.replaceWorker(0, faults: [:])
      #expect(try cluster.fetchedPixels(index + 1) == reference, "\(place)")
      let attempts = try cluster.jobs("\(index + 1)").first?["attempts"]?.int ?? 0
      // What dies while it loads has not begun the job; and the worker before may not have been missed in time.
      #expect((1...3).contains(attempts), "\(place): \(attempts)")
    }
    #expect(try cluster.jobs("--state", "done").count == Self.places.count)
  }

  @Test func aJobIsDoneThoughWhoGoesOnFromItsSnapshotIsKilled() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start(more: "--failure-interval", "0")
    let first = try cluster.startWorker(faults: ["CLUSCA_HANG_AT": "stage.compute.before:30"])
    #expect(try cluster.submit(Self.request + ["--detach"]).output == "1\n")
    try await first.says("stage.compute.before hangs")
    while ((try? cluster.snapshots()) ?? []).isEmpty { try await Task.sleep(for: .milliseconds(2)) }
    let second = try cluster.replaceWorker(0, faults: ["CLUSCA_CRASH_AT": "stage.snapshot.restored"])
    #expect(second.end() == -SIGKILL, "\(second.errors)")
    try cluster.replaceWorker(0, faults: [:])
    #expect(try cluster.fetchedPixels(1) == DurableCoordinator.reference(Self.request))
    #expect(try cluster.jobs("1").first?["attempts"] == 3)
  }

  @Test(arguments: ["stage.adopted", "stage.resumed"])
  func aJobIsDoneThoughWhatItsWorkerHoldsIsLostInTheHandsOfAnotherCoordinator(place: String) async throws {
    let cluster = try DurableCoordinator()
    let goesOn = "\(cluster.folder.path)/goes-on"
    try cluster.start()
    let worker = try cluster.startWorker(
      faults: [
        "CLUSCA_CRASH_AT": place, "CLUSCA_HANG_AT": "stage.compute.before:20", "CLUSCA_HANG_UNTIL": goesOn,
      ])
    #expect(try cluster.submit(Self.request + ["--detach"]).output == "1\n")
    try await worker.says("stage.compute.before hangs")
    cluster.kill()
    try Data().write(to: URL(filePath: goesOn))
    try cluster.start()
    #expect(worker.end() == -SIGKILL, "\(place) is never reached: \(worker.errors)")
    try cluster.replaceWorker(0, faults: [:])
    #expect(try cluster.fetchedPixels(1) == DurableCoordinator.reference(Self.request))
  }
}
