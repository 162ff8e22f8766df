/// Values that were measured under equal conditions.
public struct Sample: Sendable, Hashable {
  public var values: [Double]

  public init(values: [Double] = []) { self.values = values }

  public var mean: Double { values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count) }

  /// How far the mean of other samples of this size would lie from this one, as one standard deviation.
  public var standardError: Double {
    guard values.count > 1 else { return .nan }
    let mean = mean
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
  }

  public var minimum: Double { values.min() ?? .nan }
  public var maximum: Double { values.max() ?? .nan }

  public var median: Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// What this sample has more than another, value by value.
  public func difference(to other: Sample) -> Sample { Sample(values: zip(values, other.values).map { $0 - $1 }) }

  /// How many times this sample is another, value by value.
  public func ratio(to other: Sample) -> Sample { Sample(values: zip(values, other.values).map { $0 / $1 }) }
}
