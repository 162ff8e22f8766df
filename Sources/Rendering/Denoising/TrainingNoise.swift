import Glibc
import Tensors

/// The noise that a model with discrete timesteps was trained on: at timestep t it saw √ᾱ · picture + √(1 − ᾱ) · noise.
public struct TrainingNoise: Sendable, Hashable {
  /// ᾱ of every timestep, from nearly 1 to nearly 0 (`alphas_cumprod`).
  public let remainingSignal: [Float]
  /// What the model learned to predict.
  public let prediction: Prediction

  public var timesteps: Int { remainingSignal.count }

  /// How the timesteps of a run are spread over those of training.
  public enum Spacing: String, Sendable, Hashable {
    case leading
    case trailing
    case linspace
  }

  public init(_ configuration: PartConfiguration) throws {
    try configuration.require("rescale_betas_zero_snr", false)
    try configuration.require("thresholding", false)
    prediction = try Prediction(configuration)
    guard !configuration.contains("trained_betas") else {
      throw configuration.error("trained_betas", "is set, which is not supported")
    }
    let timesteps = try configuration.integer("num_train_timesteps", default: 1000, in: 1...100_000)
    let first = try configuration.number("beta_start", default: 1e-4, in: 1e-6...0.999)
    let last = try configuration.number("beta_end", default: 0.02, in: 1e-6...0.999)
    guard last >= first else { throw configuration.error("beta_end", "is less than beta_start") }
    let betas: [Float]
    switch try configuration.string("beta_schedule", default: "linear") {
    case "linear": betas = Self.line(Float(first), Float(last), timesteps)
    case "scaled_linear":
      betas = Self.line(Float(first.squareRoot()), Float(last.squareRoot()), timesteps).map { $0 * $0 }
    default: throw configuration.error("beta_schedule", "is neither linear nor scaled_linear")
    }
    // torch rounds every factor, but not the product that it carries on.
    var product = 1.0
    remainingSignal = betas.map { beta in
      product *= Double(1 - beta)
      return Float(product)
    }
    guard product > 1e-12 else {
      throw configuration.error("beta_end", "leaves nothing of a picture after \(timesteps) timesteps")
    }
  }

  /// torch.linspace in float32: from both ends to the middle.
  private static func line(_ first: Float, _ last: Float, _ count: Int) -> [Float] {
    guard count > 1 else { return [first] }
    let step = (last - first) / Float(count - 1)
    return (0..<count).map { index in
      index < count / 2 ? first + step * Float(index) : last - step * Float(count - 1 - index)
    }
  }

  static func spacing(_ configuration: PartConfiguration, default fallback: Spacing) throws -> Spacing {
    let name = try configuration.string("timestep_spacing", default: fallback.rawValue)
    guard let spacing = Spacing(rawValue: name) else {
      throw configuration.error("timestep_spacing", "is none of leading, trailing and linspace")
    }
    return spacing
  }
}

/// The timesteps of runs of DDIM and DDPM, which read the same settings.
public struct TrainingTimesteps: Sendable, Hashable {
  public let noise: TrainingNoise
  public let spacing: TrainingNoise.Spacing
  /// Added to the timesteps of the spacing `leading`.
  public let offset: Int

  init(_ configuration: PartConfiguration) throws {
    noise = try TrainingNoise(configuration)
    spacing = try TrainingNoise.spacing(configuration, default: .leading)
    offset = try configuration.integer("steps_offset", default: 0, in: 0...1000)
    guard try !configuration.bool("clip_sample", default: true) else {
      throw configuration.error("clip_sample", "is true or missing, which means true; only false is supported")
    }
  }

  /// Those of a run of so many steps, falling.
  func run(steps: Int) -> [Int] {
    let all = noise.timesteps
    precondition(steps >= 1 && steps <= all, "there are \(all) timesteps")
    return switch spacing {
    case .leading: (0..<steps).reversed().map { min(all - 1, $0 * (all / steps) + offset) }
    case .trailing:
      (0..<steps).map { step in
        let place = Double(all) - Double(step) * (Double(all) / Double(steps))
        return Int(place.rounded(.toNearestOrEven)) - 1
      }
    case .linspace:
      (0..<steps).reversed().map { step in
        steps == 1 ? 0 : Int((Double(step) * (Double(all - 1) / Double(steps - 1))).rounded(.toNearestOrEven))
      }
    }
  }
}
