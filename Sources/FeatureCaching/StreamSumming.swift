import Tensors

/// How the features of a step are added to the hidden states of a stream.
public enum StreamSumming {
  /// One after the other.
  case directly
  /// Forecasts for themselves and what fresh tokens change for itself, and both to the hidden states at last: x₀ + Σ forecasts
  /// + Σ changes. Forecasts are known since the last full step, so they may have been summed before the step began.
  case apart(ForecastSum?)
  /// Nothing is added; what would be is written down.
  case planning(ForecastPlan)
}

/// What is to be added to the hidden states of a stream that ``StreamSumming/apart(_:)`` sums.
public struct StreamSums: Sendable, Equatable {
  /// Σ gate ⊙ forecast, `[tokens, width]`; nil as long as there are none.
  public var forecasts: Tensor?
  /// Σ gate ⊙ change, of tokens that begin at some row of the stream.
  public var changes: [PlacedChange] = []
  /// Those of the branches whose changes were added here.
  public var gates: [Tensor] = []

  public struct PlacedChange: Sendable, Equatable {
    public var firstRow: Int
    public var change: FreshChange

    var rows: Range<Int> { firstRow..<firstRow + change.labels.count }
  }

  public init() {}

  /// What fresh tokens of a stream that was not joined with others have changed.
  public init(_ change: FreshChange) { changes = [PlacedChange(firstRow: 0, change: change)] }

  public var isEmpty: Bool { forecasts == nil && changes.isEmpty }
}
