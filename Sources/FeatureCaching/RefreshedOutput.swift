import CKernels
import Tensors

/// The kept output of a branch between two full steps, as fresh tokens change it: kept · output + change.
///
/// Written into the output it would be the same but for roundings. Apart from it, all that follows from the full step alone is
/// known beforehand, and what fresh tokens change is small.
struct RefreshedOutput {
  /// What is left of the output: (1 − γ)ʲ after j refreshes.
  private(set) var kept: Float = 1
  private(set) var change: FreshChange

  /// - Parameter room: so many tokens are likely to be fresh until the next full step.
  init(labels: [Int32], width: Int, room: Int = 0) {
    change = FreshChange(labels: labels, width: width, room: room)
  }

  /// Takes fresh outputs and moves those of their clusters towards them.
  ///
  /// First tokenⱼ gets outputsⱼ; then, for a propagation γ > 0, every token n of a cluster with fresh tokens gets
  /// γ · G + (1 − γ) · what it has, where G is the mean (or the sum) of its cluster's fresh outputs.
  ///
  /// - Parameters:
  ///   - tokens: one may occur several times.
  ///   - outputs: `[tokens.count, width]`
  ///   - output: of the full step, `[all tokens, width]`
  mutating func refresh(
    _ tokens: [Int], with outputs: Tensor, of output: FeatureTensor, clusters: TokenClusters, propagation: Float,
    summing: Bool
  ) {
    let (width, kept) = (change.width, kept)
    let (table, old) = (change.table, output.term)
    Tensor.withElements(table, nil) { table, _ in
      outputs.withUnsafeElements { outputs in
        // They lie far apart in memory: all are asked for at once.
        for token in tokens { old.fetch(row: token, width: width) }
        for (place, token) in tokens.enumerated() {
          change.withRow(of: token) { row, _ in
            row.update(from: outputs.baseAddress! + place * width, count: width)
            old.add(row: token, width: width, times: -kept, to: row)
            guard let table else { return }
            kernels.scale_add(row, 1, table + Int(clusters.labels[token]) * width, -1, width)
          }
        }
      }
    }
    defer { withExtendedLifetime(output) {} }
    guard propagation > 0 else { return }
    let targets = Self.targets(tokens, outputs, clusters, summing: summing)
    change.move(towards: targets.values, by: propagation, where: targets.counts.map { $0 > 0 })
    self.kept *= 1 - propagation
    // What the tokens of a cluster without fresh ones keep, all others have lost.
    guard zip(targets.counts, clusters.counts).contains(where: { $0 == 0 && $1 > 0 }) else { return }
    for (token, label) in clusters.labels.enumerated() where targets.counts[Int(label)] == 0 {
      let lost = kept - self.kept
      change.withRow(of: token) { row, isNew in
        if isNew { row.update(repeating: 0, count: width) }
        old.add(row: token, width: width, times: lost, to: row)
      }
    }
  }

  /// Writes all of it into the output of the full step, `[all tokens, width]`.
  func write(into output: inout Tensor) {
    let (rows, width) = (output.rows, change.width)
    output.withUnsafeMutableElements { output in
      guard let output = output.baseAddress else { return }
      Tensor.forEachRowRange(rows: rows, columns: width) { range in
        let start = output + range.lowerBound * width
        if kept != 1 { kernels.scale_add(start, kept, start, 0, range.count * width) }
        change.add(to: start, tokens: range)
      }
    }
  }

  /// What each cluster's tokens move towards, `[clusters, width]`, and how many fresh tokens that is made of.
  private static func targets(
    _ tokens: [Int], _ outputs: Tensor, _ clusters: TokenClusters, summing: Bool
  ) -> (values: Tensor, counts: [Int]) {
    let columns = outputs.columns
    var counts = [Int](repeating: 0, count: clusters.count)
    var values = Tensor(zeros: [clusters.count, columns])
    values.withUnsafeMutableElements { values in
      outputs.withUnsafeElements { outputs in
        guard let values = values.baseAddress, let outputs = outputs.baseAddress else { return }
        for (place, token) in tokens.enumerated() {
          let cluster = Int(clusters.labels[token])
          counts[cluster] += 1
          kernels.add(values + cluster * columns, outputs + place * columns, columns)
        }
        guard !summing else { return }
        for (cluster, count) in counts.enumerated() where count > 1 {
          for column in 0..<columns { values[cluster * columns + column] /= Float(count) }
        }
      }
    }
    return (values, counts)
  }
}
