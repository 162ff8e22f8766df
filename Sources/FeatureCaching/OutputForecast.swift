import Tensors

/// A Taylor series of the model's output itself, kept by whoever leads the run: at cached steps it stands for all stages.
public struct OutputForecast: Sendable {
  private let enhancedSteps: Int
  private var series: TaylorSeries
  private var lastFullStep: Int?

  /// - Parameters:
  ///   - maximumOrder: of the differences, 0 or more.
  ///   - enhancedSteps: before the last of so many full steps no differences are formed.
  public init(maximumOrder: Int, enhancedSteps: Int) {
    series = TaylorSeries(maximumOrder: maximumOrder)
    self.enhancedSteps = enhancedSteps
  }

  /// Takes the output of a full step, from 0, `[tokens, channels]`.
  public mutating func keep(_ output: Tensor, step: Int) {
    series.update(output, distance: lastFullStep.map { step - $0 } ?? 0, formsDifferences: step >= enhancedSteps - 1)
    lastFullStep = step
  }

  /// The output so many steps after the last full one, of which there was one.
  public func forecast(distance: Int) -> Tensor { series.forecast(distance: distance).sum }

  public var byteCount: Int { series.byteCount }
}
