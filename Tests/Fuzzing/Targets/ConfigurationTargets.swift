import Autoencoders
import FeatureCaching
import Rendering
import StrictJSON
import Tensors
import Transformers

@testable import Conditioning

/// The `config.json` of parts of checkpoints, and what is computed of their numbers before any weights are looked at.
enum ConfigurationTargets {
  /// A letter for the part, then its file.
  static func configuration(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let part = Int(input.byte() & 31) - 1
    if part == 10 { return tokenizer(input.rest()) }
    let limits = JSONLimits(maximumBytes: 1 << 16, maximumDepth: 32, acceptsNonFiniteNumbers: true)
    guard let json = try? JSONValue(parsing: input.rest(), limits: limits),
      let file = try? PartConfiguration(path: "config.json", json: json)
    else { return }
    switch part {
    case 0:
      guard let euler = try? FlowMatchEuler(file) else { return }
      let schedule = euler.schedule(steps: 20, imageTokens: 4096)
      demand(schedule.sigmas.allSatisfy(\.isFinite), "A noise level is infinite or none")
      // A level rounds to a little more than 1 where a small fixed shift cancels out.
      demand(schedule.timesteps.allSatisfy { (0...1001).contains($0) }, "A time is out of range")
    case 1:
      for choice in SchedulerChoice.allCases {
        guard let scheduler = try? choice.scheduler(file) else { continue }
        schedule(scheduler)
      }
      _ = try? SchedulerChoice(file)
    case 2:
      guard let flux = try? FluxConfiguration(file) else { return }
      demand(
        operations(flux.branches(imageTokens: 4096, textTokens: 512)) >= 0, "A model takes fewer than no operations")
      demand(flux.modulationOutputs > 0 && flux.operationsOutsideOfBranches(imageTokens: 4096) > 0, "Nothing modulates")
    case 3:
      guard let dit = try? DiTConfiguration(file) else { return }
      demand(operations(dit.branches) >= 0, "A model takes fewer than no operations")
    case 4:
      guard let hunyuan = try? HunyuanVideoConfiguration(file) else { return }
      demand(
        operations(hunyuan.branches(videoTokens: 1 << 17, textTokens: 256)) >= 0,
        "A model takes fewer than no operations")
      demand(hunyuan.operationsOutsideOfBranches(videoTokens: 1 << 17, textTokens: 256) > 0, "Nothing modulates")
    case 5:
      guard let autoencoder = try? AutoencoderKLConfiguration(file) else { return }
      for tiling in [Tiling.never, .always] {
        demand(
          autoencoder.decodingBytes(height: 128, width: 96, tiling: tiling, threads: 2) > 0, "Pixels take no memory")
      }
    case 6: _ = try? AutoencoderKLHunyuanVideoConfiguration(file)
    case 7: _ = try? CLIPTextConfiguration(file)
    case 8: _ = try? T5Configuration(file)
    case 9: _ = try? LlamaConfiguration(file)
    default: break
    }
  }

  private static func schedule(_ scheduler: some DiscreteScheduler) {
    guard scheduler.maximumSteps > 0 else { return }
    let schedule = scheduler.schedule(steps: min(20, scheduler.maximumSteps))
    for step in 0..<schedule.steps {
      demand((0...100_000).contains(schedule.timestep(step)), "A time is out of range")
    }
  }

  private static func operations(_ branches: [BranchShape]) -> Int { branches.reduce(0) { $0 + $1.operations } }

  private static func tokenizer(_ bytes: [UInt8]) {
    ScratchFolder.shared.hold(["tokenizer_config.json": bytes])
    guard let configuration = try? TokenizerConfiguration(TokenizerFolder(ScratchFolder.shared.path)) else { return }
    demand(configuration.isPresent, "A file that was read is not there")
    demand(configuration.maximumLength.map { $0 > 0 } ?? true, "A text has fewer than one token")
  }
}
