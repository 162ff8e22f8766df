import Foundation
import Testing

@testable import clusca

/// Keys that are no secret any more, or were taken off the list, as processes.
@Suite(.timeLimit(.minutes(2)), .serialized) struct KeyedClusterTests {
  @Test(arguments: ["coordinator", "w0", "anna"])
  func aSecretThatOthersMayReadIsRefused(name: String) throws {
    let keys = try KeyedFolder(workers: ["w0"], clients: ["anna"])
    let address = "ipc://\(keys.folder.path)/c"
    let command =
      switch name {
      case "coordinator": keys.coordinator(at: address)
      case "w0": keys.worker(name, of: address)
      default: ["status"] + keys.identity(name, to: address)
      }
    for permissions in [0o604, 0o640, 0o602] {
      try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: keys.secret(name))
      let outcome = try Program.run(command)
      #expect(outcome.status == Status.input.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
      #expect(outcome.errors.contains("\(keys.secret(name)) may be read by others; it needs the permissions 0600"))
    }
  }

  @Test func aKeyThatIsRevokedTakesTheBlocksFromAWorkerThatIsConnected() async throws {
    let keys = try KeyedFolder(workers: ["w0", "w1"], clients: ["anna"])
    let address = "ipc://\(keys.folder.path)/c"
    let coordinator = try RunningProgram(keys.coordinator(at: address))
    try await coordinator.says("Serving")
    let revoked = try RunningProgram(
      keys.worker("w0", of: address), environment: ["CLUSCA_HANG_AT": "stage.compute.before:4"])
    let request = ["-p", "a cat", "--steps", "8"]
    let submitted = try Program.run(
      ["submit"] + keys.identity("anna", to: address) + TinyModels.small + request + ["--detach"])
    #expect(submitted.output == "1\n", "\(submitted.errors)")
    // In the midst of a step.
    try await revoked.says("stage.compute.before hangs")
    #expect(try Program.run("keys", "revoke", "w0", "--allow-list", keys.list).status == 0)
    coordinator.signal(SIGHUP)
    try await coordinator.says("The allow-list \(keys.list) was read again")
    try await coordinator.says("The worker w0 is lost: its key is off the list")
    revoked.signal(SIGKILL)

    let other = try RunningProgram(keys.worker("w1", of: address))
    let fetched = try Program.run(
      ["fetch"] + keys.identity("anna", to: address) + ["1", "-o", "\(keys.folder.path)/x.png"])
    #expect(fetched.status == 0, "\(fetched.errors) \(other.errors)")
    #expect(
      try DurableCoordinator.pixels("\(keys.folder.path)/x.png") == DurableCoordinator.reference(request))
    // It does not come back either.
    let again = try RunningProgram(keys.worker("w0", of: address))
    try await again.says("does not let this worker's key in")
  }
}
