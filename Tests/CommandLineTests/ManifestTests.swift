import Foundation
import Rendering
import StrictJSON
import Tensors
import Testing

@testable import clusca

/// `generate --manifest` and `check`.
struct ManifestTests {
  private let folder: TemporaryFolder
  private var manifest: String { "\(folder.path)/manifest.json" }
  private var environment: [String: String] { ["XDG_CACHE_HOME": "\(folder.path)/cache"] }

  init() throws { folder = try TemporaryFolder() }

  private func generate(_ model: String = TinyModels.dev, _ arguments: String...) throws -> Program.Outcome {
    try Program.run(
      ["generate", "-m", model, "--quiet", "--manifest", manifest, "-o", "\(folder.path)/%d.png"] + arguments,
      environment: environment)
  }

  private func check(_ arguments: String...) throws -> Program.Outcome {
    try Program.run(["check", manifest] + arguments, environment: environment)
  }

  /// Writes the manifest anew with a change to its first picture.
  private func change(_ body: (inout RenderManifest) -> Void) throws {
    var changed = try RenderManifest(path: manifest)
    body(&changed)
    try changed.write(to: manifest, ifExists: .overwrite)
  }

  private static let prompt = ["-p", "a cat", "--seed", "7"]

  @Test func whatIsRenderedAgainIsEqualOnAnyNumberOfThreads() throws {
    let made = try Program.run(
      ["generate", "-m", TinyModels.dev] + TinyModels.small + Self.prompt
        + ["--quiet", "--steps", "6", "--seed", "8", "--manifest", manifest, "-o", "\(folder.path)/%d.png"],
      environment: environment)
    #expect(made.status == 0, "\(made.errors)")
    let written = try RenderManifest(path: manifest)
    #expect(written.pictures.map(\.file) == ["0.png", "1.png"] && written.pictures[0].latents.count == 6)
    #expect(Set(written.pictures[0].latents).count == 6)
    #expect(FileManager.default.fileExists(atPath: "\(folder.path)/cache/clusca/digests.json"))
    for threads in ["1", "3"] {
      let outcome = try check("-t", threads, "--quiet")
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      #expect(outcome.output == "0.png: all 6 steps are equal\n1.png: all 6 steps are equal\n")
    }
  }

  @Test func classesAndGuidanceAreCheckedToo() throws {
    let made = try generate(TinyModels.dit, "--class-label", "3", "--steps", "4", "--dtype", "bf16", "--no-metadata")
    #expect(made.status == 0, "\(made.errors)")
    let outcome = try check("--quiet")
    #expect(outcome.status == 0, "\(outcome.errors)")
  }

  @Test func theFirstDifferenceIsNamed() throws {
    let made = try generate(TinyModels.dit, "--class-label", "3", "--steps", "4")
    #expect(made.status == 0, "\(made.errors)")
    let original = try RenderManifest(path: manifest)
    try change { $0.pictures[0].latents[2] = $0.pictures[0].latents[0] }
    let step = try check("--quiet")
    #expect(step.status == Status.differences.rawValue && step.hasOneSentence)
    #expect(step.errors.contains("0.png differs from \(manifest) from step 3 of 4 on."), "\(step.errors)")
    try original.write(to: manifest, ifExists: .overwrite)
    try change { $0.pictures[0].pixels = $0.pictures[0].latents[0] }
    #expect(try check("--quiet").errors.contains("in its pixels, though not in its latents"))
    try original.write(to: manifest, ifExists: .overwrite)
    try change { $0.pictures[0].png = $0.pictures[0].latents[0] }
    #expect(try check("--quiet").errors.contains("in the file alone"))
  }

  @Test func whatIsOtherThanThenIsSaid() throws {
    let made = try generate(TinyModels.dit, "--class-label", "3", "--steps", "3")
    #expect(made.status == 0, "\(made.errors)")
    try change { manifest in
      manifest.numerics = manifest.pictures[0].pixels
      manifest.build = "another"
    }
    let equal = try check()
    #expect(equal.status == 0 && equal.errors.contains("build, numerics class"), "\(equal.errors)")
    let other = try TinyModels.copy(of: TinyModels.dit, in: folder)
    try ModelFolder(path: other).rewrite("transformer") { tensor in
      tensor.name == "proj_out_2.bias"
        ? try StoredTensor(
          name: tensor.name, shape: tensor.shape, values: [Float](repeating: 0.5, count: tensor.elementCount)) : tensor
    }
    let outcome = try check("-m", other, "--quiet")
    #expect(outcome.status == Status.differences.rawValue && outcome.hasOneSentence)
    #expect(
      outcome.errors.contains("from step 1 of 3 on; other than then: build, numerics class, model."),
      "\(outcome.errors)")
  }

  @Test func aManifestIsNotReplacedUnasked() throws {
    try folder.file("manifest.json", "mine")
    let outcome = try generate(TinyModels.dit, "--class-label", "3", "--steps", "3")
    #expect(outcome.status == Status.output.rawValue && outcome.hasOneSentence && outcome.output.isEmpty)
    #expect(try generate(TinyModels.dit, "--class-label", "3", "--steps", "3", "--force").status == 0)
  }

  @Test(arguments: [
    "", "{}", "[]", "{\"clusca_manifest\": 2}", "{\"clusca_manifest\": 1, \"version\": 3}",
    "{\"clusca_manifest\": 1, \"version\": \"0\", \"build\": \"0\", \"numerics_class\": \"xyz\"}",
  ])
  func whatIsNoManifestIsOneSentence(contents: String) throws {
    try folder.file("manifest.json", contents)
    let outcome = try check()
    #expect(outcome.status == Status.input.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(outcome.errors.contains(manifest))
  }

  @Test func otherKernelsAreAnotherClass() throws {
    func numerics(_ instructionSet: String) throws -> String? {
      let json = try JSONValue(
        parsing: Program.run("doctor", "--json", environment: ["CLUSCA_ISA": instructionSet]).output)
      return json["back_ends"]?["numerics class"]?.string
    }
    let generic = try numerics("generic")
    #expect(generic?.count == 64)
    #expect(try numerics("generic") == generic)
    #expect(try numerics("avx2") != generic)
  }
}
