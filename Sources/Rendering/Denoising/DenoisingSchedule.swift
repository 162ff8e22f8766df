import Tensors

/// The noise levels of a run, and how latents follow them from noise to picture.
public protocol DenoisingSchedule: Sendable {
  /// The evaluations of the model, at least one.
  var steps: Int { get }
  /// What the model takes at a step, 0...1000, falling from step to step.
  func timestep(_ step: Int) -> Float
  /// A new run, before its first step.
  ///
  /// - Parameter noise: for schedulers that add some between the steps.
  func start(noise: SamplerNoise?) -> any DenoisingRun
}

/// One run of a schedule: it remembers what a step needs of those before.
public protocol DenoisingRun: Sendable {
  /// Makes the next step.
  ///
  /// - Parameter predicted: the model's output after guidance, noise or velocity, of the same shape as the latents.
  /// - Returns: the picture as the model sees it at this step.
  @discardableResult
  mutating func advance(_ latents: inout Tensor, predicted: Tensor) -> Tensor
}

/// A run whose steps need nothing but their place.
struct IndexedRun: DenoisingRun {
  private let makeStep: @Sendable (_ latents: inout Tensor, _ predicted: Tensor, _ step: Int) -> Tensor
  private var step = 0

  init(_ makeStep: @escaping @Sendable (_ latents: inout Tensor, _ predicted: Tensor, _ step: Int) -> Tensor) {
    self.makeStep = makeStep
  }

  mutating func advance(_ latents: inout Tensor, predicted: Tensor) -> Tensor {
    defer { step += 1 }
    return makeStep(&latents, predicted, step)
  }
}

/// The noise that a scheduler adds between the steps, drawn one after the other.
public struct SamplerNoise: Sendable {
  private var generator: TorchGenerator
  private let draw: @Sendable (inout TorchGenerator) -> Tensor

  /// - Parameters:
  ///   - generator: as it is behind the noise to begin with.
  ///   - draw: gives noise of the shape of the latents.
  public init(_ generator: TorchGenerator, draw: @escaping @Sendable (inout TorchGenerator) -> Tensor) {
    self.generator = generator
    self.draw = draw
  }

  mutating func next() -> Tensor { draw(&generator) }
}
