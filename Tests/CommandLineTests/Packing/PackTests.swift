import Foundation
import StrictJSON
import Tensors
import Testing

@testable import clusca

/// `clusca pack`, and what becomes of pictures with its files.
struct PackTests {
  /// A folder for caches and pictures.
  private struct Place {
    let folder: TemporaryFolder
    var packedFolder: String { "\(folder.path)/cache/clusca/packed" }
    var packed: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: packedFolder)) ?? []).sorted() }

    init() throws { folder = try TemporaryFolder() }

    func run(_ arguments: [String], _ environment: [String: String] = [:]) throws -> Program.Outcome {
      try Program.run(
        arguments, environment: ["XDG_CACHE_HOME": "\(folder.path)/cache"].merging(environment) { $1 })
    }

    func pack(_ model: String, _ arguments: String...) throws -> Program.Outcome {
      try run(["pack", model] + arguments)
    }

    /// A small picture; nil if there was none.
    func picture(
      _ model: String, _ dtype: String, memory: Int? = nil, workers: Int? = nil, _ environment: [String: String] = [:]
    ) throws -> (data: Data?, outcome: Program.Outcome) {
      let path = "\(folder.path)/\(UUID().uuidString).png"
      let subject =
        model == TinyModels.dit ? ["--class-label", "1", "--steps", "6"] : ["-p", "a cat"] + TinyModels.small
      let options =
        (model == TinyModels.hunyuan ? ["--frames", "1"] : []) + (memory.map { ["--memory", "\($0)"] } ?? [])
        + (workers.map { ["--workers", "\($0)"] } ?? [])
      let outcome = try run(
        ["generate", "-m", model, "--dtype", dtype, "--no-metadata", "--seed", "5", "-o", path] + subject + options,
        environment)
      return (try? Data(contentsOf: URL(filePath: path)), outcome)
    }

    /// A little less memory than the picture needs, by what the program says of it.
    func tooLittleMemory(_ model: String, _ dtype: String) throws -> Int {
      let outcome = try picture(model, dtype, memory: 1).outcome
      #expect(outcome.status == ExitStatus.memory.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
      let number = try #require(outcome.errors.firstMatch(of: /takes about ([0-9.]+) MB/), "\(outcome.errors)")
      // It is rounded to a tenth.
      var memory = Int(try #require(Double(number.1)) * 1e6) + 60_000
      while true {
        let outcome = try picture(model, dtype, memory: memory).outcome
        if outcome.status != 0 || PackTests.readsBlocks(outcome) { return memory }
        memory -= 10_000
      }
    }
  }

  /// Whether it said that blocks do not fit.
  private static func readsBlocks(_ outcome: Program.Outcome) -> Bool {
    outcome.errors.contains(
      /are larger than the memory that is left \(.*\): [1-9] of [4-6] blocks are read from disk at each full step\./)
  }

  @Test(arguments: [TinyModels.dev, TinyModels.dit, TinyModels.hunyuan], ["bf16", "int8"])
  func picturesOfPackedWeightsAreTheSameAlsoWhenBlocksAreReadAtEachStep(model: String, dtype: String) throws {
    let place = try Place()
    let plain = try place.picture(model, dtype)
    #expect(plain.data != nil, "\(plain.outcome.errors)")
    let memory = try place.tooLittleMemory(model, dtype)
    let refused = try place.picture(model, dtype, memory: memory)
    #expect(refused.outcome.status == ExitStatus.memory.rawValue && refused.outcome.hasOneSentence)
    #expect(refused.outcome.errors.contains("clusca pack"), "\(refused.outcome.errors)")

    let packing = try place.pack(model, "--dtype", dtype)
    #expect(packing.status == 0, "\(packing.errors)")
    #expect(place.packed.count == 1 && packing.output == "\(place.packedFolder)/\(place.packed.first ?? "")\n")
    #expect(try place.picture(model, dtype).data == plain.data)
    let streamed = try place.picture(model, dtype, memory: memory)
    #expect(streamed.data == plain.data, "\(streamed.outcome.errors)")
    #expect(Self.readsBlocks(streamed.outcome), "\(streamed.outcome.errors)")
    #expect(try place.pack(model, "--dtype", dtype, "--verify").status == 0)
  }

  @Test func float32ThatIsMappedIsReadAtEachStepWithoutPacking() throws {
    let place = try Place()
    let plain = try place.picture(TinyModels.dev, "float32")
    let memory = try place.tooLittleMemory(TinyModels.dev, "float32")
    let streamed = try place.picture(TinyModels.dev, "float32", memory: memory)
    #expect(plain.data != nil && streamed.data == plain.data, "\(streamed.outcome.errors)")
    #expect(Self.readsBlocks(streamed.outcome), "\(streamed.outcome.errors)")
  }

  @Test func whatIsPackedForOtherInstructionsIsNotUsed() throws {
    let place = try Place()
    let generic = ["CLUSCA_ISA": "generic"]
    #expect(try place.run(["pack", TinyModels.dev, "--quiet"], generic).status == 0)
    let name = try #require(place.packed.first)
    let memory = try place.tooLittleMemory(TinyModels.dev, "bf16")
    let streamed = try place.picture(TinyModels.dev, "bf16", memory: memory, generic)
    #expect(Self.readsBlocks(streamed.outcome), "\(streamed.outcome.errors)")
    #expect(try streamed.data == place.picture(TinyModels.dev, "bf16", generic).data)

    guard ComputeBackEnd.instructionSet != "generic" else { return }
    #expect(try place.picture(TinyModels.dev, "bf16", memory: memory).outcome.status == ExitStatus.memory.rawValue)
    // Nor if it is called as if it were for these.
    #expect(try place.pack(TinyModels.dev, "--quiet").status == 0)
    let own = try #require(place.packed.first { $0 != name })
    try FileManager.default.removeItem(atPath: "\(place.packedFolder)/\(own)")
    try FileManager.default.moveItem(
      atPath: "\(place.packedFolder)/\(name)", toPath: "\(place.packedFolder)/\(own)")
    let outcome = try place.picture(TinyModels.dev, "bf16").outcome
    #expect(outcome.status == 0 && outcome.errors.contains("no packed weights for this"), "\(outcome.errors)")
  }

  @Test func aDamagedFileIsNotedAndReplacedAtTheNextPacking() throws {
    let place = try Place()
    let plain = try place.picture(TinyModels.dev, "int8").data
    #expect(try place.pack(TinyModels.dev, "--dtype", "int8").status == 0)
    let path = "\(place.packedFolder)/\(try #require(place.packed.first))"
    let whole = try Data(contentsOf: URL(filePath: path))
    try whole.dropLast(100).write(to: URL(filePath: path))
    let cut = try place.picture(TinyModels.dev, "int8")
    #expect(cut.data == plain && cut.outcome.errors.contains(path), "\(cut.outcome.errors)")
    #expect(cut.outcome.errors.contains("clusca pack"), "\(cut.outcome.errors)")
    #expect(try place.pack(TinyModels.dev, "--dtype", "int8").status == 0)
    #expect(try Data(contentsOf: URL(filePath: path)) == whole)

    var changed = whole
    changed[changed.count - 40] ^= 1
    try changed.write(to: URL(filePath: path))
    let verified = try place.pack(TinyModels.dev, "--dtype", "int8", "--verify")
    #expect(verified.status == ExitStatus.input.rawValue && verified.hasOneSentence, "\(verified.errors)")
    // What is there is left alone unless told otherwise.
    #expect(try place.pack(TinyModels.dev, "--dtype", "int8").errors.contains("packed already"))
    #expect(try place.pack(TinyModels.dev, "--dtype", "int8", "--force", "--quiet").errors.isEmpty)
    #expect(try Data(contentsOf: URL(filePath: path)) == whole)
  }

  @Test func anotherModelIsNotRenderedWithTheFile() throws {
    let place = try Place()
    let copy = try TinyModels.copy(in: place.folder)
    #expect(try place.pack(copy, "--quiet").status == 0)
    let memory = try place.tooLittleMemory(copy, "bf16")
    #expect(try place.picture(copy, "bf16", memory: memory).outcome.status == 0)
    try ModelFolder(path: copy).rewrite("transformer") { stored in
      stored.name == "proj_out.bias"
        ? try StoredTensor(
          name: stored.name, shape: stored.shape, values: [Float](repeating: 1, count: stored.elementCount))
        : stored
    }
    #expect(try place.picture(copy, "bf16", memory: memory).outcome.status == ExitStatus.memory.rawValue)
  }

  @Test func workersOfACommandUseTheFile() throws {
    let place = try Place()
    let plain = try place.picture(TinyModels.dev, "bf16")
    #expect(try place.pack(TinyModels.dev, "--quiet").status == 0)
    #expect(plain.data != nil)
    let spread = try place.picture(TinyModels.dev, "bf16", workers: 2)
    #expect(spread.data == plain.data, "\(spread.outcome.errors)")
  }

  @Test func wrongUsageAndMissingThingsAreOneSentence() throws {
    let place = try Place()
    for (arguments, status, part) in [
      ([TinyModels.dev, "--dtype", "float32"], Status.usage, "needs no packing"),
      ([TinyModels.dev, "--verify", "--force"], .usage, "--force"), (["/nowhere"], .input, "/nowhere"),
      ([TinyModels.dev, "--verify"], .input, "there is no such file"),
      ([TinyModels.dev, "--output", "/proc/x.safetensors"], .output, "/proc"),
      ([TinyModels.dev, "--output", "\(place.folder.path)/taken"], .output, "--force"),
    ] {
      try place.folder.file("taken", "text")
      let outcome = try place.run(["pack"] + arguments)
      #expect(outcome.status == status.rawValue && outcome.hasOneSentence, "\(arguments): \(outcome.errors)")
      #expect(outcome.errors.contains(part), "\(arguments): \(outcome.errors)")
    }
    #expect(place.packed.isEmpty)
  }

  @Test func reportsSayWhatIsPacked() throws {
    let place = try Place()
    #expect(try place.run(["inspect", TinyModels.dev]).output.contains("packed for: nothing"))
    #expect(try place.pack(TinyModels.dev, "--dtype", "int8", "--quiet").status == 0)
    #expect(try place.run(["inspect", TinyModels.dev]).output.contains("packed for: int8\n"))
    #expect(try JSONValue(parsing: place.run(["inspect", TinyModels.dev, "--json"]).output)["packed"] == ["int8"])
    #expect(try place.run(["doctor"]).output.contains("\(place.packedFolder) (1 files, "))
    let packed = try JSONValue(parsing: place.run(["doctor", "--json"]).output)["packed_weights"]
    #expect(packed?["folder"]?.string == place.packedFolder && packed?["files"] == 1)
  }
}
