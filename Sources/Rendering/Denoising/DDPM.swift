import Glibc
import Tensors

/// Denoising diffusion probabilistic models (arXiv 2006.11239): every step but the last adds noise
/// (diffusers: `DDPMScheduler`). All numbers are formed in float32 as there.
public struct DDPM: DiscreteScheduler, Hashable {
  /// The variance of the noise that a step adds.
  public enum Variance: String, Sendable, Hashable {
    /// β̃, that of the step before given picture and latents.
    case fixedSmall = "fixed_small"
    /// The same by way of its logarithm.
    case fixedSmallLog = "fixed_small_log"
    /// β
    case fixedLarge = "fixed_large"
  }

  public var sampler: String { "DDPM" }
  public var maximumSteps: Int { training.noise.timesteps }
  public let training: TrainingTimesteps
  public let variance: Variance

  public init(_ configuration: PartConfiguration) throws {
    training = try TrainingTimesteps(configuration)
    let name = try configuration.string("variance_type", default: Variance.fixedSmall.rawValue)
    guard let variance = Variance(rawValue: name) else {
      throw configuration.error(
        "variance_type",
        "is \(name.printable(limit: 60)); only fixed_small, fixed_small_log and fixed_large are supported")
    }
    self.variance = variance
  }

  /// The steps of a run.
  public struct Schedule: DenoisingSchedule, Hashable {
    /// Falling; the model takes them as they are.
    public let timesteps: [Int]
    fileprivate let prediction: Prediction
    fileprivate let coefficients: [Coefficients]

    public var steps: Int { timesteps.count }
    public func timestep(_ step: Int) -> Float { Float(timesteps[step]) }

    public func start(noise: SamplerNoise?) -> any DenoisingRun {
      guard let noise else { preconditionFailure("DDPM adds noise between the steps") }
      return Run(schedule: self, noise: noise)
    }
  }

  public func schedule(steps: Int) -> Schedule {
    let timesteps = training.run(steps: steps)
    let signals = timesteps.map { training.noise.remainingSignal[$0] }
    return Schedule(
      timesteps: timesteps, prediction: training.noise.prediction,
      coefficients: timesteps.indices.map { step in
        Coefficients(
          signal: signals[step], next: step + 1 < signals.count ? signals[step + 1] : 1,
          variance: timesteps[step] > 0 ? variance : nil)
      })
  }

  /// What a step multiplies with; formulas (7) and (15) of the paper.
  fileprivate struct Coefficients: Sendable, Hashable {
    /// √ᾱ and √(1 − ᾱ)
    let signal: Float
    let noise: Float
    /// Of the picture and of the latents in the mean.
    let picture: Float
    let latents: Float
    /// Of the noise that is added; nil if there is none.
    let deviation: Float?

    /// - Parameters:
    ///   - signal: ᾱ at the step.
    ///   - next: ᾱ behind it.
    ///   - variance: nil if the step adds no noise.
    init(signal: Float, next: Float, variance: Variance?) {
      let alpha = signal / next
      let beta = 1 - alpha
      self.signal = signal.squareRoot()
      noise = (1 - signal).squareRoot()
      picture = next.squareRoot() * beta / (1 - signal)
      latents = alpha.squareRoot() * (1 - next) / (1 - signal)
      let small = max(1e-20, (1 - next) / (1 - signal) * beta)
      deviation =
        switch variance {
        case nil: nil
        case .fixedSmall: small.squareRoot()
        case .fixedSmallLog: expf(0.5 * logf(small))
        case .fixedLarge: beta.squareRoot()
        }
    }
  }

  private struct Run: DenoisingRun {
    let schedule: Schedule
    var noise: SamplerNoise
    var step = 0

    mutating func advance(_ latents: inout Tensor, predicted: Tensor) -> Tensor {
      precondition(step < schedule.steps, "the run has \(schedule.steps) steps")
      let factors = schedule.coefficients[step]
      let denoised = schedule.prediction.picture(
        latents, predicted, signal: factors.signal, noise: factors.noise)
      latents = denoised.combined(latents) { picture, x in factors.picture * picture + factors.latents * x }
      if let deviation = factors.deviation {
        latents = latents.combined(noise.next()) { x, noise in x + deviation * noise }
      }
      step += 1
      return denoised
    }
  }
}
