import Glibc
import Tensors

/// DPM-Solver++ of first or second order in the number of model evaluations that a step looks back on
/// (arXiv 2211.01095; diffusers: `DPMSolverMultistepScheduler`). All numbers are formed in float32 as there.
public struct DPMSolver: DiscreteScheduler, Hashable {
  public enum SecondOrder: String, Sendable, Hashable {
    case midpoint
    case heun
  }

  public var sampler: String { order == 1 ? "DPM++ 1M" : "DPM++ 2M" }
  public var maximumSteps: Int { noise.timesteps - 1 }

  public let noise: TrainingNoise
  public let spacing: TrainingNoise.Spacing
  /// Added to the timesteps of the spacing `leading`.
  public let offset: Int
  /// 1 or 2.
  public let order: Int
  public let secondOrder: SecondOrder
  /// Whether short runs (fewer than 15 steps) end with a step of first order.
  public let lowersFinalOrder: Bool
  /// Whether every run ends with a step of first order.
  public let endsWithEuler: Bool
  /// Whether the noise behind the last step is 0, or that of timestep 0.
  public let endsWithoutNoise: Bool

  public init(_ configuration: PartConfiguration) throws {
    noise = try TrainingNoise(configuration)
    for option in [
      "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas",
      "use_dynamic_shifting",
    ] {
      try configuration.require(option, false)
    }
    try configuration.require("algorithm_type", "dpmsolver++")
    if let limit = configuration.json["lambda_min_clipped"]?.double, limit != -.infinity {
      throw configuration.error("lambda_min_clipped", "is a number, but only -Infinity is supported")
    }
    spacing = try TrainingNoise.spacing(configuration, default: .linspace)
    offset = try configuration.integer("steps_offset", default: 0, in: 0...1000)
    order = try configuration.integer("solver_order", default: 2, in: 1...2)
    let type = try configuration.string("solver_type", default: SecondOrder.midpoint.rawValue)
    guard let secondOrder = SecondOrder(rawValue: type) else {
      throw configuration.error("solver_type", "is neither midpoint nor heun")
    }
    self.secondOrder = secondOrder
    lowersFinalOrder = try configuration.bool("lower_order_final", default: true)
    endsWithEuler = try configuration.bool("euler_at_final", default: false)
    switch try configuration.string("final_sigmas_type", default: "zero") {
    case "zero": endsWithoutNoise = true
    case "sigma_min": endsWithoutNoise = false
    default: throw configuration.error("final_sigmas_type", "is neither zero nor sigma_min")
    }
  }

  /// The steps of a run.
  public struct Schedule: DenoisingSchedule, Hashable {
    let solver: DPMSolver
    /// Falling; the model takes them as they are.
    public let timesteps: [Int]
    /// The noise in units of the picture, one more than steps.
    public let sigmas: [Float]

    public var steps: Int { timesteps.count }
    public func timestep(_ step: Int) -> Float { Float(timesteps[step]) }
    public func start(noise: SamplerNoise?) -> any DenoisingRun { DPMSolverRun(self) }
  }

  public func schedule(steps: Int) -> Schedule {
    precondition(steps >= 1 && steps < noise.timesteps, "there are \(noise.timesteps) timesteps")
    let all = noise.timesteps
    let timesteps: [Int] =
      switch spacing {
      case .leading: (1...steps).reversed().map { min(all - 1, $0 * (all / (steps + 1)) + offset) }
      case .linspace:
        (1...steps).reversed().map { step in
          Int((Double(step) * (Double(all - 1) / Double(steps))).rounded(.toNearestOrEven))
        }
      case .trailing:
        (0..<steps).map { step in
          let place = Double(all) - Double(step) * (Double(all) / Double(steps))
          return Int(place.rounded(.toNearestOrEven)) - 1
        }
      }
    let sigmas = (timesteps + [0]).map { timestep in
      let signal = noise.remainingSignal[timestep]
      return ((1 - signal) / signal).squareRoot()
    }
    return Schedule(
      solver: self, timesteps: timesteps, sigmas: endsWithoutNoise ? sigmas.dropLast() + [0] : sigmas)
  }
}
