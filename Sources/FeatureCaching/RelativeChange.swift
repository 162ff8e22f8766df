import Glibc
import Tensors

/// Distances of tensors as one number, summed in float64 in the order of the elements, so that no number of threads and no
/// width of vectors changes them.
enum RelativeChange {
  /// mean |new − old| / mean |old|; where the old one is zero, 0 for no change at all and else the largest number.
  static func ofMeans(from old: Tensor, to new: Tensor) -> Float {
    var (change, size) = (0.0, 0.0)
    forEachPair(old, new) { old, new in
      change += abs(new - old)
      size += abs(old)
    }
    return size > 0 ? finite(change / size) : change > 0 ? .greatestFiniteMagnitude : 0
  }

  /// mean(|forecast − exact| / (|exact| + 10⁻¹⁰)) over the elements of all pairs.
  static func meanOfRatios(_ pairs: [(forecast: Tensor, exact: Tensor)]) -> Float {
    var (sum, count) = (0.0, 0)
    for (forecast, exact) in pairs {
      forEachPair(forecast, exact) { forecast, exact in sum += abs(forecast - exact) / (abs(exact) + 1e-10) }
      count += exact.count
    }
    return count > 0 ? finite(sum / Double(count)) : 0
  }

  private static func forEachPair(_ left: Tensor, _ right: Tensor, _ body: (Double, Double) -> Void) {
    precondition(left.count == right.count, "\(left.shape) and \(right.shape) have no common elements")
    left.withUnsafeElements { left in
      right.withUnsafeElements { right in
        for index in left.indices { body(Double(left[index]), Double(right[index])) }
      }
    }
  }

  /// Signals travel, and what travels is finite.
  private static func finite(_ value: Double) -> Float {
    value < Double(Float.greatestFiniteMagnitude) ? Float(value) : .greatestFiniteMagnitude
  }
}
