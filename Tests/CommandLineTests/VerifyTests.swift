import Foundation
import StrictJSON
import Testing

@testable import clusca

struct VerifyTests {
  @Test func recordedRunsOfDiffusersAreMet() throws {
    let outcome = try Program.run("verify", TinyModels.reference, "--case", "flux_schnell_*", "flux_dev_64x64_n4")
    #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    #expect(outcome.output.contains("flux_schnell_48x48_n1") && !outcome.output.contains("FAILED"))
    #expect(outcome.errors.isEmpty)
  }

  @Test func jsonIsOneObject() throws {
    let outcome = try Program.run("verify", TinyModels.reference, "--case", "flux_schnell_48x48_n1", "--json")
    let json = try JSONValue(parsing: outcome.output)
    #expect(json["failed"] == 0 && json["cases"]?[0]?["passed"] == true)
    #expect((json["cases"]?[0]?["worst"]?["ratio"]?.double ?? 2) <= 1)
  }

  @Test func aDifferenceIsStatus3() throws {
    let folder = try TemporaryFolder()
    let root = "\(folder.path)/reference"
    try FileManager.default.copyItem(atPath: TinyModels.reference, toPath: root)
    let model = ModelFolder(path: "\(root)/checkpoints/flux-schnell-tiny")
    try model.set("vae/config.json", [("shift_factor", 0.5)])
    let outcome = try Program.run("verify", root, "--case", "flux_schnell_48x48_n1")
    #expect(outcome.status == ExitStatus.differences.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(outcome.output.contains("FAILED"))

    // A checkpoint that cannot be used is a case that did not pass, with the reason.
    try model.remove("vae/config.json")
    let broken = try Program.run("verify", root, "--case", "flux_schnell_48x48_n1")
    #expect(broken.status == ExitStatus.differences.rawValue && broken.output.contains("vae/config.json"))
  }

  @Test func whatCannotBeVerifiedIsOneSentence() throws {
    let folder = try TemporaryFolder()
    let missing = try Program.run("verify", folder.path)
    #expect(missing.status == ExitStatus.input.rawValue && missing.hasOneSentence)
    #expect(missing.errors.contains("out/manifest.json"))
    for text in ["{", "[]", "{}", #"{"cases":[1]}"#, #"{"cases":{}}"#] {
      try folder.file("out/manifest.json", text)
      let outcome = try Program.run("verify", folder.path)
      #expect(outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence, "\(text): \(outcome.errors)")
    }
    let unknown = try Program.run("verify", TinyModels.reference, "--case", "no_such_case")
    #expect(unknown.status == ExitStatus.usage.rawValue && unknown.hasOneSentence)
  }
}
