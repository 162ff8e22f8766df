import Foundation
import Testing

@testable import clusca

/// Clients with more jobs than they may have, as processes.
@Suite(.timeLimit(.minutes(2))) struct QuotaCommandTests {
  @Test func jobsBeyondTheQuotaAreRefusedAndAnothersAreServed() async throws {
    let keys = try KeyedFolder(workers: ["w0"], clients: ["anna", "ben"])
    let folder = keys.folder
    let address = "ipc://\(folder.path)/c"
    let coordinator = try RunningProgram(keys.coordinator(at: address) + ["--quota", "200"])
    try await coordinator.says("Serving")
    func identity(_ name: String) -> [String] { keys.identity(name, to: address) }
    let prompts = try folder.file("prompts.txt", (0..<300).map { "picture \($0)" }.joined(separator: "\n"))
    let request = TinyModels.small + ["--prompts-file", prompts, "--detach"]
    let refused = try Program.run(["submit"] + identity("anna") + request)
    #expect(refused.status == 75 && refused.hasOneSentence, "\(refused.errors)")
    #expect(refused.errors.contains("This client has 200 jobs already"), "\(refused.errors)")
    let accepted = refused.output.split(separator: "\n").map(String.init)
    #expect(accepted == (1...200).map(String.init))

    // Two hundred jobs that came before do not keep another's waiting.
    let worker = try RunningProgram(
      ["worker", "--name", "w0", "-m", TinyModels.dev, "--threads", "1", "--gflops", "10"] + identity("w0"))
    try await coordinator.says("The worker w0 is here")
    let picture = "\(folder.path)/x.png"
    let served = try Program.run(["submit"] + identity("ben") + TinyModels.small + ["-p", "a cat", "-o", picture])
    #expect(served.status == 0, "\(served.errors)")
    worker.signal(SIGSTOP)
    let cancelled = try Program.run(["cancel"] + identity("anna") + accepted)
    #expect(cancelled.status == 0, "\(cancelled.errors)")
    #expect(
      try Program.run(["submit"] + identity("anna") + TinyModels.small + ["-p", "a dog", "--detach"]).status == 0)
  }
}
