import Foundation
import Testing

/// The files of `Cluster` that other programs read. What a missing tool would check is left out.
@Suite struct ClusterFilesTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Cluster").path(percentEncoded: false)

  private func validate(_ folder: String) throws -> Program.Outcome {
    try Program.runShell("\"$1/validate.sh\" \"$2\"", Self.folder, folder)
  }

  private func isThere(_ tool: String) throws -> Bool {
    try Program.runShell("command -v \"$1\"", tool).status == 0
  }

  @Test func theUnitFilesAndTheManifestAreValid() throws {
    let outcome = try validate(Self.folder)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
  }

  @Test(arguments: [
    ("systemd-analyze", "clusca-worker@.service", "KillMode=", "KillModes="),
    ("kubernetes-validate", "kubernetes.yaml", "mountPath: /jobs", "mountpath: /jobs"),
  ])
  func aMisspeltKeyIsFound(tool: String, file: String, right: String, wrong: String) throws {
    guard try isThere(tool) else { return }
    let folder = try TemporaryFolder()
    let copy = "\(folder.path)/Cluster"
    try FileManager.default.copyItem(atPath: Self.folder, toPath: copy)
    let text = try String(contentsOfFile: "\(copy)/\(file)", encoding: .utf8)
    try #require(text.contains(right))
    try Data(text.replacing(right, with: wrong).utf8).write(to: URL(filePath: "\(copy)/\(file)"))
    let outcome = try validate(copy)
    #expect(
      outcome.status == 1 && outcome.errors.lowercased().contains(right == "KillMode=" ? "killmodes" : "mountpath"))
  }
}
