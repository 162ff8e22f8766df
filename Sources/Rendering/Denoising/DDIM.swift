import Tensors

/// Denoising diffusion implicit models (arXiv 2010.02502) without noise between the steps: η = 0
/// (diffusers: `DDIMScheduler`). All numbers are formed in float32 as there.
public struct DDIM: DiscreteScheduler, Hashable {
  public var sampler: String { "DDIM" }
  public var maximumSteps: Int { training.noise.timesteps }
  public let training: TrainingTimesteps
  /// ᾱ behind the last step: 1, or that of timestep 0.
  public let finalSignal: Float

  public init(_ configuration: PartConfiguration) throws {
    training = try TrainingTimesteps(configuration)
    finalSignal =
      try configuration.bool("set_alpha_to_one", default: true) ? 1 : training.noise.remainingSignal.first ?? 1
  }

  /// The steps of a run.
  public struct Schedule: DenoisingSchedule, Hashable {
    /// Falling; the model takes them as they are.
    public let timesteps: [Int]
    fileprivate let prediction: Prediction
    /// ᾱ at each step.
    fileprivate let signals: [Float]
    /// ᾱ behind each step.
    fileprivate let nextSignals: [Float]

    public var steps: Int { timesteps.count }
    public func timestep(_ step: Int) -> Float { Float(timesteps[step]) }

    public func start(noise: SamplerNoise?) -> any DenoisingRun {
      IndexedRun { latents, predicted, step in advance(&latents, predicted: predicted, step: step) }
    }

    /// The latents after a step, and the picture as the model sees it at this step.
    ///
    /// - Parameter predicted: what the model gave, of the shape of the latents.
    public func advance(_ latents: inout Tensor, predicted: Tensor, step: Int) -> Tensor {
      let (now, next) = (signals[step], nextSignals[step])
      let (signal, rest) = (now.squareRoot(), (1 - now).squareRoot())
      let denoised = prediction.picture(latents, predicted, signal: signal, noise: rest)
      let noise = prediction.noise(latents, predicted, signal: signal, noise: rest)
      latents = denoised.combined(noise) { picture, noise in
        next.squareRoot() * picture + (1 - next).squareRoot() * noise
      }
      return denoised
    }
  }

  public func schedule(steps: Int) -> Schedule {
    let noise = training.noise
    let timesteps = training.run(steps: steps)
    return Schedule(
      timesteps: timesteps, prediction: noise.prediction, signals: timesteps.map { noise.remainingSignal[$0] },
      nextSignals: timesteps.map { timestep in
        let next = timestep - noise.timesteps / steps
        return next >= 0 ? noise.remainingSignal[next] : finalSignal
      })
  }
}
