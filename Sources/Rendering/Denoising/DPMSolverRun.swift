import Glibc
import Tensors

/// A run of ``DPMSolver``: it remembers what the model saw at the step before.
public struct DPMSolverRun: DenoisingRun {
  public let schedule: DPMSolver.Schedule
  /// The next step, from 0.
  public private(set) var step = 0
  /// The picture as the model saw it at the step before.
  private var previous: Tensor?

  private var solver: DPMSolver { schedule.solver }

  public init(_ schedule: DPMSolver.Schedule) { self.schedule = schedule }

  /// Signal, noise and the logarithm of their ratio at a place of the schedule.
  private struct Level {
    let alpha: Float
    let sigma: Float
    let lambda: Float

    init(_ noise: Float) {
      alpha = 1 / (noise * noise + 1).squareRoot()
      sigma = noise * alpha
      lambda = logf(alpha) - logf(sigma)
    }
  }

  /// Makes the next step.
  ///
  /// - Parameter predicted: what the model gave, of the shape of the latents.
  /// - Returns: the picture as the model sees it at this step.
  @discardableResult
  public mutating func advance(_ latents: inout Tensor, predicted: Tensor) -> Tensor {
    precondition(step < schedule.steps, "the run has \(schedule.steps) steps")
    let (now, next) = (Level(schedule.sigmas[step]), Level(schedule.sigmas[step + 1]))
    let denoised = solver.noise.prediction.picture(latents, predicted, signal: now.alpha, noise: now.sigma)
    let distance = next.lambda - now.lambda
    let (kept, moved) = (next.sigma / now.sigma, next.alpha * (expf(-distance) - 1))
    var result = latents.combined(denoised) { x, picture in kept * x - moved * picture }
    if let previous, solver.order == 2, !endsInFirstOrder {
      let ratio = (now.lambda - Level(schedule.sigmas[step - 1]).lambda) / distance
      let slope = denoised.combined(previous) { new, old in 1 / ratio * (new - old) }
      let factor =
        switch solver.secondOrder {
        case .midpoint: -0.5 * moved
        case .heun: next.alpha * ((expf(-distance) - 1) / distance + 1)
        }
      result = result.combined(slope) { x, slope in x + factor * slope }
    }
    latents = result
    previous = denoised
    step += 1
    return denoised
  }

  /// Whether this is a last step that is made in first order.
  private var endsInFirstOrder: Bool {
    guard step == schedule.steps - 1 else { return false }
    return solver.endsWithEuler || solver.endsWithoutNoise || (solver.lowersFinalOrder && schedule.steps < 15)
  }
}
