import Foundation
import Testing

@testable import clusca

/// Workers that would compute other bits than the coordinator means, as processes.
@Suite(.timeLimit(.minutes(2)), .serialized) struct MismatchTests {
  /// A copy of the model in which one bit of one weight is another.
  private func damagedModel(in folder: TemporaryFolder) throws -> String {
    let copy = try TinyModels.copy(in: folder)
    let part = "\(copy)/transformer"
    let name = try #require(
      FileManager.default.contentsOfDirectory(atPath: part).filter { $0.hasSuffix(".safetensors") }.sorted().last)
    var bytes = try Data(contentsOf: URL(filePath: "\(part)/\(name)"))
    // Of the last number, which ends with the file, the least significant byte.
    bytes[bytes.count - 4] ^= 1
    try bytes.write(to: URL(filePath: "\(part)/\(name)"))
    return copy
  }

  @Test func aWorkerWithOneOtherBitInItsWeightsGetsNoBlocksAndIsToldApart() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    try cluster.startWorker(models: [damagedModel(in: cluster.folder)])
    try await cluster.process?.says("The worker w0 is here")
    #expect(try cluster.submit("-p", "a cat", "--detach").output == "1\n")
    try await cluster.process?.says("Jobs wait: No worker has the model flux-dev-tiny (")
    let said = try #require(
      cluster.process?.errors.firstMatch(
        of: /No worker has the model flux-dev-tiny \(([0-9a-f]{12})\); they have ([0-9a-f]{12})\./))
    #expect(said.1 != said.2)
    try cluster.startWorker()
    #expect(try cluster.fetchedPixels(1) == DurableCoordinator.reference("-p", "a cat"))
    #expect(try cluster.jobs("1").first?["attempts"] == 1)
  }

  @Test func aWorkerWithOtherKernelsIsRefusedAndBothClassesAreNamed() async throws {
    let others = ProcessInfo.processInfo.environment["CLUSCA_ISA"] == "generic" ? "avx2" : "generic"
    let cluster = try DurableCoordinator()
    try cluster.start()
    try await cluster.serves()
    let worker = try cluster.startWorker(faults: ["CLUSCA_ISA": others])
    #expect(worker.end() == Status.refused.rawValue)
    let refusal = try #require(
      worker.errors.firstMatch(of: /The class of numerics is ([0-9a-f]{12}) here, ([0-9a-f]{12}) there/),
      "\(worker.errors)")
    #expect(refusal.1 != refusal.2)
    try await cluster.process?.says("The worker w0 is not admitted: The class of numerics is \(refusal.1) here")
  }
}
