import Foundation
import StrictJSON
import Testing

@testable import clusca

/// `clusca plan`, with workers that do not exist.
struct PlanTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let workers = """
    [{"name": "a", "gflops": 100, "memory": "1 GB", "link": "10 Gbit/s"},
     {"name": "b", "gflops": 100, "memory": 1000000000, "link": 1250000000},
     {"name": "slow", "gflops": 0.01, "memory": "1 GiB", "link": "125 MB/s"}]
    """

  private func plan(_ workers: String = workers, _ model: String = TinyModels.dev, _ arguments: String...) throws
    -> Program.Outcome
  {
    let file = try folder.file("workers.json", workers)
    let small = model == TinyModels.dev ? TinyModels.small + ["--steps", "20"] : []
    return try Program.run(["plan", "-m", model, "--workers", file] + small + arguments)
  }

  @Test func thePlanCoversAllBlocksAndSaysWhoIsLeftOut() throws {
    let outcome = try plan(Self.workers, TinyModels.dev, "--replicas", "1")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.contains("left out: slow, since it would take"), "\(outcome.output)")
    let json = try JSONValue(parsing: plan(Self.workers, TinyModels.dev, "--json", "--replicas", "1").output)
    let stages = try #require(json["stages"]?.array)
    #expect(stages.compactMap { $0["worker"]?.string } == ["a", "b"])
    try #require(stages.count == 2)
    #expect(stages[0]["blocks"]?[0] == 0 && stages[0]["blocks"]?[1] == stages[1]["blocks"]?[0])
    for key in ["weight_bytes", "cache_bytes", "samples", "hand_over_bytes"] {
      #expect(stages.allSatisfy { ($0[key]?.int ?? 0) > 0 }, "\(key)")
    }
    #expect((stages[0]["forecast_bytes"]?.int ?? 0) > 0 && stages[1]["forecast_bytes"] == 0)
    // What passes between two stages is at both of them. Three samples are in flight, one for each worker.
    #expect(stages[0]["transit_bytes"] == stages[1]["transit_bytes"] && (stages[0]["transit_bytes"]?.int ?? 0) > 0)
    for stage in stages {
      let parts = ["weight_bytes", "activation_bytes", "cache_bytes", "transit_bytes"].compactMap { stage[$0]?.int }
      let whole = try #require(json["stage_bytes"]?.int) + parts[0] + parts[1] + 3 * (parts[2] + parts[3])
      #expect(stage["memory_bytes"]?.int == whole)
    }
    #expect(json["left_out"]?[0]?["worker"] == "slow")
    #expect((json["full_steps"]?.int ?? 0) + (json["cached_steps"]?.int ?? 0) == 20 && json["samples_per_picture"] == 1)
    #expect((json["pictures_per_hour"]?.double ?? 0) > 3600 / (json["picture_seconds"]?.double ?? 0))
  }

  @Test func equalWorkersThatCanHoldAllBlocksStandSideBySide() throws {
    let outcome = try plan()
    #expect(outcome.status == 0 && outcome.output.contains("2 pipelines side by side"), "\(outcome)")
    let one = try JSONValue(parsing: plan(Self.workers, TinyModels.dev, "--json", "--replicas", "1").output)
    let two = try JSONValue(parsing: plan(Self.workers, TinyModels.dev, "--json").output)
    let stages = try #require(two["stages"]?.array)
    #expect(two["replicas"] == 2 && stages.compactMap { $0["replica"]?.int } == [0, 1])
    #expect(stages[0]["blocks"] == stages[1]["blocks"] && two["left_out"]?[0]?["worker"] == "slow")
    #expect(try #require(two["pictures_per_hour"]?.double) > #require(one["pictures_per_hour"]?.double))
    let none = try plan(Self.workers, TinyModels.dev, "--replicas", "0")
    #expect(none.status == Status.usage.rawValue && none.errors.contains("--replicas 0"), "\(none.errors)")
  }

  @Test func cachingMakesPicturesAndGuidanceHalvesThem() throws {
    func perHour(_ arguments: String...) throws -> Double {
      let file = try folder.file("workers.json", Self.workers)
      let outcome = try Program.run(
        ["plan", "-m", TinyModels.dev, "--workers", file, "--size", "64x64", "--steps", "20", "--json"] + arguments)
      return try JSONValue(parsing: outcome.output)["pictures_per_hour"]?.double ?? 0
    }
    let plain = try perHour("--cache", "none")
    #expect(try plain > 0 && perHour("--cache", "fora") > plain)
    let guided = try perHour("--cache", "none", "--cfg-scale", "3")
    #expect(abs(guided / plain - 0.5) < 1e-6)
  }

  @Test func classesAndBfloat16ArePlannedToo() throws {
    func weights(_ dtype: String) throws -> Int {
      let json = try JSONValue(parsing: plan(Self.workers, TinyModels.dit, "--dtype", dtype, "--json").output)
      #expect(json["samples_per_picture"] == 2)
      return json["stages"]?.array?.reduce(0) { $0 + ($1["weight_bytes"]?.int ?? 0) } ?? 0
    }
    #expect(try weights("float32") > 0)
    #expect(try weights("bf16") > 0)
  }

  @Test func whatCannotBeHeldIsSaidInNumbers() throws {
    let outcome = try plan("[{\"name\": \"a\", \"gflops\": 100, \"memory\": \"300 kB\", \"link\": 1e9}]")
    #expect(outcome.status == Status.memory.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(outcome.errors.contains("No set of these workers can hold the model: block"))
  }

  @Test(
    arguments: [
      ("", "no valid JSON"), ("{}", "no list"), ("[]", "0 workers"), ("[1]", "worker 1 is no object"),
      ("[{\"name\": \"a\"}]", "\"gflops\""), ("[{\"name\": \"\", \"gflops\": 1}]", "\"name\""),
      ("[{\"name\": \"a\", \"gflops\": 0, \"memory\": 1, \"link\": 1}]", "\"gflops\""),
      ("[{\"name\": \"a\", \"gflops\": 1, \"memory\": \"16 pounds\", \"link\": 1}]", "\"memory\""),
      ("[{\"name\": \"a\", \"gflops\": 1, \"memory\": \"16 GB\", \"link\": \"fast\"}]", "\"link\""),
      ("[{\"name\": \"a\", \"speed\": 1}]", "\"speed\""),
      (
        "[{\"name\": \"a\", \"gflops\": 1, \"memory\": 1, \"link\": 1}, {\"name\": \"a\", \"gflops\": 1, \"memory\": 1, \"link\": 1}]",
        "two workers a"
      ),
    ])
  func aDescriptionThatIsWrongIsOneSentence(workers: String, reason: String) throws {
    let outcome = try plan(workers)
    #expect(outcome.status == Status.input.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(outcome.errors.contains(reason), "\(outcome.errors)")
  }

  @Test func sizesAndRatesAreReadAsPeopleWriteThem() {
    #expect(Quantity.bytes("16 GB") == 16e9 && Quantity.bytes("1.5GiB") == 1.5 * 1_073_741_824)
    #expect(Quantity.bytes("512 MiB") == 536_870_912 && Quantity.bytes(12) == 12 && Quantity.bytes("7 bytes") == 7)
    #expect(Quantity.bytesPerSecond("1 Gbit/s") == 125e6 && Quantity.bytesPerSecond("125 MB/s") == 125e6)
    for text in ["GB", "16", "16 gb", "-1 GB", "nan GB", "1 Gbit", "1 GB/s"] {
      #expect(Quantity.bytes(.string(text)) == nil, "\(text)")
    }
    for text in ["1 Gbit", "1 GB", "inf B/s", "/s"] {
      #expect(Quantity.bytesPerSecond(.string(text)) == nil, "\(text)")
    }
  }
}
