import Foundation
import Media
import StrictJSON
import Testing

@testable import clusca

struct BenchTests {
  private static let policies = "clusca:interval=2;fora:interval=3;fora:interval=1;none:steps=2"

  private let folder: TemporaryFolder
  private let prompts: String

  init() throws {
    folder = try TemporaryFolder()
    prompts = try folder.file("prompts.txt", "a <b>fox</b> & \"two\", hens\na dog\na third that is left out\n")
  }

  private var out: String { "\(folder.path)/out" }

  private func bench(
    _ arguments: String..., policies: String = policies, whileRunning body: (Process) throws -> Void = { _ in }
  ) throws -> Program.Outcome {
    try Program.run(
      [
        "bench", "--prompts", prompts, "--limit", "2", "--policies", policies, "--out", out, "-m", TinyModels.dev,
      ] + TinyModels.small + ["--steps", "6", "--quiet"] + arguments, whileRunning: body)
  }

  private func results() throws -> JSONValue { try JSONValue(parsing: text("results.json")) }

  private func text(_ name: String) throws -> String { try String(contentsOfFile: "\(out)/\(name)", encoding: .utf8) }

  private func pictures(_ results: JSONValue, _ policy: String) -> [JSONValue] {
    results["pictures"]?.array?.filter { $0["policy"]?.string == policy } ?? []
  }

  @Test func everyPromptIsMeasuredByEveryPolicyBesideNoCaching() throws {
    let outcome = try bench()
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.contains("clusca:interval=2") && outcome.output.hasSuffix("report.html\n"))
    let results = try results()
    #expect(results["prompts"] == 2 && results["pictures"]?.array?.count == 10)
    #expect(results["policies"]?[0]?["name"] == "none" && results["policies"]?.array?.count == 5)
    #expect(results["machine"]?["cpu"] != nil && results["date"]?.string?.hasSuffix("Z") == true)
    for picture in pictures(results, "clusca:interval=2") {
      #expect(picture["full_steps"] == 4 && picture["cached_steps"] == 2, "E = 3, N = 2")
      #expect((picture["psnr_db"]?.double ?? 0) > 0 && (picture["ssim"]?.double ?? 2) < 1)
      #expect((picture["speed_up"]?.double ?? 0) > 0 && (picture["peak_resident_bytes"]?.int ?? 0) > 1 << 20)
      #expect((picture["cache_bytes"]?.int ?? 0) > 0 && (picture["flop"]?.int ?? 0) > 0)
    }
    // A full step every step is no caching, bit for bit.
    for picture in pictures(results, "fora:interval=1") {
      #expect(picture["identical"] == true && picture["psnr_db"] == .null && picture["ssim"] == 1.0)
    }
    #expect(pictures(results, "none:steps=2").allSatisfy { $0["full_steps"] == 2 })
    for name in ["none", "clusca-interval-2", "fora-interval-3", "fora-interval-1", "none-steps-2"] {
      #expect(try PNG.decode(PNG.file("\(out)/pictures/\(name)/0001.png")).width == 32)
    }
  }

  @Test func thePictureIsTheOneThatGenerateMakes() throws {
    #expect(try bench().status == 0)
    let path = "\(folder.path)/x.png"
    let generated = try TinyModels.generate(
      TinyModels.dev, "-p", "a dog", "--steps", "6", "--cache", "fora", "--cache-option", "interval=3", "-o", path)
    #expect(generated.status == 0)
    #expect(try PNG.file(path) == PNG.file("\(out)/pictures/fora-interval-3/0001.png"))
  }

  @Test func theTableForOtherProgramsHasALineAPicture() throws {
    #expect(try bench().status == 0)
    let lines = try text("results.csv").split(separator: "\r\n")
    #expect(lines.count == 11)
    #expect(lines[0].hasPrefix("index,prompt,seed,policy,steps,full_steps,"))
    #expect(lines[1].hasPrefix("0,\"a <b>fox</b> & \"\"two\"\", hens\",0,none,6,6,0,"))
  }

  @Test func thePageNeedsNothingButItself() throws {
    #expect(try bench().status == 0)
    let page = try text("report.html")
    #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains("<svg") && page.contains("</html>"))
    #expect(!page.contains("http:") && !page.contains("https:") && !page.contains("<script") && !page.contains("<link"))
    #expect(page.components(separatedBy: "<img ").count - 1 == 10)
    #expect(page.components(separatedBy: "src=\"data:image/png;base64,").count - 1 == 10)
    // A prompt is text, whatever it holds.
    #expect(page.contains("a &lt;b&gt;fox&lt;/b&gt; &amp; &quot;two&quot;, hens") && !page.contains("<b>fox"))
  }

  @Test func theWorstPicturesComeFirst() throws {
    #expect(try bench().status == 0)
    func worst(_ index: Int) throws -> Double {
      try #require(
        results()["pictures"]?.array?.filter { $0["index"]?.int == index }.compactMap { $0["psnr_db"]?.double }.min())
    }
    let page = try text("report.html")
    let (fox, dog) = (
      try #require(page.range(of: "<h3>a &lt;b")?.lowerBound), try #require(page.range(of: "<h3>a dog")?.lowerBound)
    )
    let foxIsWorse = try worst(0) < worst(1)
    #expect((fox < dog) == foxIsWorse)
  }

  @Test func aRunThatWasStoppedGoesOnWithWhatIsMissing() throws {
    let stopped = try bench { process in
      while !FileManager.default.fileExists(atPath: "\(out)/measurements/none/0.json"), process.isRunning {
        usleep(1000)
      }
      process.interrupt()
    }
    #expect(stopped.status == ExitStatus.interrupted.rawValue)
    #expect(!FileManager.default.fileExists(atPath: "\(out)/report.html"))
    let kept = try text("measurements/none/0.json")
    #expect(try bench().status == 0)
    #expect(try text("measurements/none/0.json") == kept)
    #expect(try results()["pictures"]?.array?.count == 10)
    // All is there now; one that goes is measured again, and the others are not.
    let before = try results()
    try FileManager.default.removeItem(atPath: "\(out)/measurements/fora-interval-3/1.json")
    #expect(try bench().status == 0)
    let after = try results()
    for policy in ["none", "clusca:interval=2"] {
      #expect(pictures(after, policy).map { $0["seconds"] } == pictures(before, policy).map { $0["seconds"] })
    }
    #expect(
      pictures(after, "fora:interval=3")[1]["seconds"] != pictures(before, "fora:interval=3")[1]["seconds"])
    #expect(pictures(after, "fora:interval=3")[1]["psnr_db"] == pictures(before, "fora:interval=3")[1]["psnr_db"])
  }

  @Test func morePoliciesAndPromptsMayFollow() throws {
    #expect(try bench(policies: "fora:interval=3").status == 0)
    let kept = try text("measurements/fora-interval-3/0.json")
    #expect(try bench("--limit", "3", policies: "fora:interval=3;toca").status == 0)
    #expect(try text("measurements/fora-interval-3/0.json") == kept)
    #expect(try results()["pictures"]?.array?.count == 9)
  }

  @Test func otherSettingsInTheSameFolderAreRefused() throws {
    #expect(try bench(policies: "fora:interval=3").status == 0)
    let other = try bench("--steps", "5", policies: "fora:interval=3")
    #expect(other.status == ExitStatus.output.rawValue && other.hasOneSentence, "\(other.errors)")
    #expect(other.errors.contains("steps") && other.errors.contains("--force"))
    let threads = try bench("--threads", "7", policies: "fora:interval=3")
    #expect(threads.status == ExitStatus.output.rawValue && threads.hasOneSentence, "\(threads.errors)")
    #expect(try bench("--steps", "5", "--force", policies: "fora:interval=3").status == 0)
    #expect(try results()["pictures"]?[0]?["settings"]?["steps"] == 5)
  }

  @Test func classesAreMeasuredToo() throws {
    let outcome = try Program.run(
      "bench", "--class-labels", "3,207", "--policies", "teacache;duca;speca", "--out", out, "-m", TinyModels.dit,
      "--steps", "8", "--json", "--quiet")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let json = try JSONValue(parsing: outcome.output)
    #expect(json["prompts"] == 2 && json["policies"]?.array?.count == 4)
    #expect(json["pictures"]?[0]?["settings"]?["class_label"] == 3)
  }

  @Test(arguments: [
    ("nothing", "caching method"), ("fora:cluster_num=3", "cluster_num"), ("fora:interval=0", "interval"),
    ("fora;fora:interval=5", "twice"), ("none", "names nothing"), ("none:steps=0", "steps"), ("", "names nothing"),
    ("none:interval=4", "steps=N"),
  ])
  func policiesThatThereAreNotAreOneSentence(policies: String, part: String) throws {
    let outcome = try bench(policies: policies)
    #expect(outcome.status == ExitStatus.usage.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(outcome.errors.contains("--policies") && outcome.errors.contains(part), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: "\(out)/pictures"))
  }

  @Test func wrongOptionsAreOneSentence() throws {
    for (arguments, status) in [
      (["--policies", "fora", "--out", out], ExitStatus.usage),
      (["--prompts", prompts, "--class-labels", "1", "--policies", "fora", "--out", out], .usage),
      (["--prompts", prompts, "--policies", "fora", "--out", out, "--seed", "-1"], .usage),
      (["--prompts", prompts, "--policies", "fora", "--out", out, "--limit", "0"], .usage),
      (["--prompts", "\(folder.path)/none.txt", "--policies", "fora", "--out", out], .input),
      (["--prompts", prompts, "--policies", "fora", "--out", prompts], .output),
      (["--prompts", prompts, "--policies", "fora", "--out", out, "-m", TinyModels.dit], .usage),
    ] {
      let outcome = try Program.run(["bench"] + arguments)
      #expect(outcome.status == status.rawValue && outcome.hasOneSentence, "\(arguments): \(outcome.errors)")
    }
  }
}
