import Tensors

/// What a model with discrete timesteps predicts of latents x = √ᾱ · picture + √(1 − ᾱ) · noise (`prediction_type`).
/// The formulas are those of diffusers' schedulers, in float32 as there.
public enum Prediction: String, Sendable, Hashable {
  /// The noise.
  case noise = "epsilon"
  /// √ᾱ · noise − √(1 − ᾱ) · picture (arXiv 2202.00512).
  case velocity = "v_prediction"

  init(_ configuration: PartConfiguration) throws {
    let name = try configuration.string("prediction_type", default: Self.noise.rawValue)
    guard let prediction = Self(rawValue: name) else {
      throw configuration.error(
        "prediction_type", "is \(name.printable(limit: 60)); only epsilon and v_prediction are supported")
    }
    self = prediction
  }

  /// The picture as the model sees it.
  ///
  /// - Parameters:
  ///   - predicted: what the model gave, of the shape of the latents.
  ///   - signal: √ᾱ
  ///   - noise: √(1 − ᾱ)
  func picture(_ latents: Tensor, _ predicted: Tensor, signal: Float, noise: Float) -> Tensor {
    switch self {
    case .noise: latents.combined(predicted) { x, epsilon in (x - noise * epsilon) / signal }
    case .velocity: latents.combined(predicted) { x, velocity in signal * x - noise * velocity }
    }
  }

  /// The noise as the model sees it; parameters as for ``picture(_:_:signal:noise:)``.
  func noise(_ latents: Tensor, _ predicted: Tensor, signal: Float, noise: Float) -> Tensor {
    switch self {
    case .noise: predicted
    case .velocity: latents.combined(predicted) { x, velocity in signal * velocity + noise * x }
    }
  }
}
