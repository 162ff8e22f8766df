import Glibc

/// How far two pictures of one size lie apart: what a feature cache cost, for instance.
///
/// Sums over samples are exact (integers); the mean structural similarity adds `Double`s in a fixed order, so equal
/// pictures give equal numbers on every machine.
public struct Comparison: Sendable {
  public let first: Picture
  public let second: Picture
  /// The mean of the squared differences of all samples, on the scale of 0 to 255.
  public let meanSquaredError: Double
  /// The mean of the absolute differences of all samples, on the scale of 0 to 255.
  public let meanAbsoluteDifference: Double
  /// The largest absolute difference of two samples.
  public let maximumAbsoluteDifference: Int

  public init(_ first: Picture, _ second: Picture) throws(MediaError) {
    guard first.width == second.width, first.height == second.height else {
      throw .unsuitablePicture(
        "A picture of \(first.width)x\(first.height) cannot be compared with one of \(second.width)x\(second.height)")
    }
    var squares = 0
    var absolutes = 0
    var maximum = 0
    first.bytes.withUnsafeBufferPointer { first in
      second.bytes.withUnsafeBufferPointer { second in
        for index in first.indices {
          let difference = abs(Int(first[index]) - Int(second[index]))
          squares += difference * difference
          absolutes += difference
          maximum = max(maximum, difference)
        }
      }
    }
    self.first = first
    self.second = second
    meanSquaredError = Double(squares) / Double(first.bytes.count)
    meanAbsoluteDifference = Double(absolutes) / Double(first.bytes.count)
    maximumAbsoluteDifference = maximum
  }

  /// The peak signal-to-noise ratio in decibels, `10 log10(255² / meanSquaredError)` over all three channels at once;
  /// infinite for equal pictures.
  public var peakSignalToNoiseRatio: Double {
    meanSquaredError == 0 ? .infinity : 10 * log10(255 * 255 / meanSquaredError)
  }

  /// Equal pictures have an infinite ratio, of which there is no mean; in means they count as this much, in decibels.
  public static let countedPeakRatio = 100.0

  /// The structural similarity of Wang and others (2004), the mean over the channels; 1 for equal pictures.
  ///
  /// Throws for pictures of fewer than 11 pixels along a side, into which the window does not fit.
  public func structuralSimilarity() throws(MediaError) -> Double {
    try StructuralSimilarity.mean(first, second)
  }

  /// The absolute differences of the samples times `factor`, rounded, at most 255: black where the pictures agree.
  public func differencePicture(amplifiedBy factor: Double = 1) throws(MediaError) -> Picture {
    guard factor.isFinite, factor > 0 else {
      throw .unsuitablePicture("A difference cannot be amplified by \(factor)")
    }
    let levels = (0...255).map { UInt8(min(255, (Double($0) * factor).rounded())) }
    let bytes = zip(first.bytes, second.bytes).map { levels[abs(Int($0) - Int($1))] }
    return try Picture(width: first.width, height: first.height, bytes: bytes)
  }
}
