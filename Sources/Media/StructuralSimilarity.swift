import Glibc

/// The mean structural similarity: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From
/// Error Visibility to Structural Similarity", IEEE Transactions on Image Processing 13 (2004), equations 13 to 17.
///
/// An 11x11 Gaussian window of deviation 1.5 with weights of sum 1, K1 = 0.01, K2 = 0.03, L = 255, variances of the
/// population. Only windows that lie wholly within the picture count, as in the paper's own program. scikit-image's
/// `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
/// channel_axis=2)` filters to the edge with mirrored samples and then cuts 5 pixels from each side, which leaves the
/// same windows.
enum StructuralSimilarity {
  static let window = 11
  private static let deviation = 1.5
  private static let c1 = (0.01 * 255) * (0.01 * 255)
  private static let c2 = (0.03 * 255) * (0.03 * 255)

  private static let weights: [Double] = {
    let radius = window / 2
    let weights = (-radius...radius).map { exp(-0.5 / (deviation * deviation) * Double($0 * $0)) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }()

  /// The mean over windows and channels of two pictures of one size.
  static func mean(_ first: Picture, _ second: Picture) throws(MediaError) -> Double {
    guard first.width >= window, first.height >= window else {
      throw .unsuitablePicture(
        "The structural similarity needs pictures of at least \(window)x\(window), not \(first.width)x\(first.height)")
    }
    var sum = 0.0
    for channel in 0..<3 { sum += meanOfChannel(channel, first, second) }
    return sum / 3
  }

  private static func meanOfChannel(_ channel: Int, _ first: Picture, _ second: Picture) -> Double {
    let columns = first.width - window + 1
    let rows = first.height - window + 1
    // The last 11 rows, filtered along the row: x, y, x², y², xy, each of `columns` values.
    let rowValues = 5 * columns
    var ring = [Double](repeating: 0, count: window * rowValues)
    var total = 0.0
    var filtered = [Double](repeating: 0, count: rowValues)
    for row in 0..<first.height {
      let slot = row % window * rowValues
      ring.withUnsafeMutableBufferPointer { ring in
        let target = UnsafeMutableBufferPointer(rebasing: ring[slot..<slot + rowValues])
        filterRow(row, channel, first, second, into: target, columns: columns)
      }
      guard row >= window - 1 else { continue }
      for index in filtered.indices { filtered[index] = 0 }
      ring.withUnsafeBufferPointer { ring in
        filtered.withUnsafeMutableBufferPointer { filtered in
          for (tap, weight) in weights.enumerated() {
            let slot = (row - window + 1 + tap) % window * rowValues
            for index in 0..<rowValues { filtered[index] += weight * ring[slot + index] }
          }
        }
      }
      var sum = 0.0
      for column in 0..<columns {
        sum += similarity(
          meanX: filtered[column], meanY: filtered[columns + column], squareX: filtered[2 * columns + column],
          squareY: filtered[3 * columns + column], product: filtered[4 * columns + column])
      }
      total += sum
    }
    return total / (Double(rows) * Double(columns))
  }

  private static func filterRow(
    _ row: Int, _ channel: Int, _ first: Picture, _ second: Picture,
    into target: UnsafeMutableBufferPointer<Double>, columns: Int
  ) {
    let start = 3 * row * first.width + channel
    first.bytes.withUnsafeBufferPointer { first in
      second.bytes.withUnsafeBufferPointer { second in
        weights.withUnsafeBufferPointer { weights in
          for column in 0..<columns {
            var x = 0.0
            var y = 0.0
            var xx = 0.0
            var yy = 0.0
            var xy = 0.0
            for tap in 0..<window {
              let offset = start + 3 * (column + tap)
              let a = Double(first[offset])
              let b = Double(second[offset])
              x += weights[tap] * a
              y += weights[tap] * b
              xx += weights[tap] * (a * a)
              yy += weights[tap] * (b * b)
              xy += weights[tap] * (a * b)
            }
            target[column] = x
            target[columns + column] = y
            target[2 * columns + column] = xx
            target[3 * columns + column] = yy
            target[4 * columns + column] = xy
          }
        }
      }
    }
  }

  /// Equation 13 for one window.
  private static func similarity(
    meanX: Double, meanY: Double, squareX: Double, squareY: Double, product: Double
  ) -> Double {
    let varianceX = squareX - meanX * meanX
    let varianceY = squareY - meanY * meanY
    let covariance = product - meanX * meanY
    return (2 * meanX * meanY + c1) * (2 * covariance + c2)
      / ((meanX * meanX + meanY * meanY + c1) * (varianceX + varianceY + c2))
  }
}
