import Glibc
import Tensors

/// Euler steps along the straight paths of flow matching (diffusers: `FlowMatchEulerDiscreteScheduler`).
///
/// All tables are formed in float32 as there, since the model sees their rounding.
public struct FlowMatchEuler: Sendable, Hashable {
  public enum Shift: Sendable, Hashable {
    /// σ' = sσ / (1 + (s − 1) σ)
    case fixed(Float)
    /// σ' = e^μ / (e^μ + 1/σ − 1), with μ linear in the number of image tokens.
    case dynamic(Dynamic)
  }

  public struct Dynamic: Sendable, Hashable {
    public var baseTokens = 256
    public var maximumTokens = 4096
    public var baseShift = 0.5
    public var maximumShift = 1.15

    public init() {}

    public func mu(tokens: Int) -> Double {
      let slope = (maximumShift - baseShift) / Double(maximumTokens - baseTokens)
      return Double(tokens) * slope + (baseShift - slope * Double(baseTokens))
    }
  }

  public var shift: Shift

  public init(shift: Shift) { self.shift = shift }

  public init(_ configuration: PartConfiguration) throws {
    try configuration.require("_class_name", "FlowMatchEulerDiscreteScheduler")
    try configuration.require("num_train_timesteps", 1000)
    try configuration.require("time_shift_type", "exponential")
    for option in [
      "invert_sigmas", "stochastic_sampling", "use_beta_sigmas", "use_exponential_sigmas", "use_karras_sigmas",
    ] {
      try configuration.require(option, false)
    }
    guard !configuration.contains("shift_terminal") else {
      throw configuration.error("shift_terminal", "is set, which is not supported")
    }
    guard try configuration.bool("use_dynamic_shifting", default: false) else {
      shift = .fixed(Float(try configuration.number("shift", default: 1, in: 1e-3...1e3)))
      return
    }
    var dynamic = Dynamic()
    dynamic.baseTokens = try configuration.integer("base_image_seq_len", default: 256, in: 0...1 << 24)
    dynamic.maximumTokens = try configuration.integer("max_image_seq_len", default: 4096, in: 0...1 << 24)
    dynamic.baseShift = try configuration.number("base_shift", default: 0.5, in: -20...20)
    dynamic.maximumShift = try configuration.number("max_shift", default: 1.15, in: -20...20)
    guard dynamic.maximumTokens > dynamic.baseTokens else {
      throw configuration.error("max_image_seq_len", "is not larger than base_image_seq_len")
    }
    shift = .dynamic(dynamic)
  }

  /// The noise levels of a run.
  public struct Schedule: DenoisingSchedule, Hashable {
    /// One more than steps, falling from about 1 to 0.
    public var sigmas: [Float]
    /// 1000 σ, one a step.
    public var timesteps: [Float]

    public var steps: Int { timesteps.count }

    public func timestep(_ step: Int) -> Float { timesteps[step] }

    public func start(noise: SamplerNoise?) -> any DenoisingRun {
      IndexedRun { latents, velocity, step in advance(&latents, along: velocity, step: step) }
    }

    /// The latents after a step, x + (σ_next − σ) · velocity, and the picture as the model sees it, x − σ · velocity.
    private func advance(_ latents: inout Tensor, along velocity: Tensor, step: Int) -> Tensor {
      var denoised = latents
      denoised.scale(by: 1, adding: velocity, times: -sigmas[step])
      latents.scale(by: 1, adding: velocity, times: sigmas[step + 1] - sigmas[step])
      return denoised
    }
  }

  /// Where the noise levels come from, before they are shifted. Both are the same numbers but for their rounding.
  public enum Spacing: Sendable, Hashable {
    /// linspace(1, 1/n, n), FLUX' pipeline.
    case toLastLevel
    /// linspace(1, 0, n + 1) without its end, HunyuanVideo's.
    case towardsZero

    /// In double precision, rounded once.
    func level(_ step: Int, of steps: Int) -> Float {
      let last = 1 / Double(steps)
      switch self {
      case .towardsZero: return Float(1 + Double(step) * -last)
      case .toLastLevel where steps == 1: return 1
      case .toLastLevel where step == steps - 1: return Float(last)
      case .toLastLevel: return Float(1 + Double(step) * ((last - 1) / Double(steps - 1)))
      }
    }
  }

  /// - Parameter imageTokens: of the picture; only a dynamic shift depends on it.
  public func schedule(steps: Int, imageTokens: Int, spacing: Spacing = .toLastLevel) -> Schedule {
    precondition(steps >= 1, "a run has at least one step")
    let sigmas: [Float] = (0..<steps).map { step in
      let sigma = spacing.level(step, of: steps)
      switch shift {
      case .fixed(let shift): return shift * sigma / (1 + (shift - 1) * sigma)
      case .dynamic(let dynamic):
        // Far beyond the sizes that it is made for e^μ leaves float32; the levels have met their limit, 1 or 0, before.
        let factor = Float(exp(min(max(-80, dynamic.mu(tokens: imageTokens)), 80)))
        return factor / (factor + (1 / sigma - 1))
      }
    }
    return Schedule(sigmas: sigmas + [0], timesteps: sigmas.map { $0 * 1000 })
  }
}
