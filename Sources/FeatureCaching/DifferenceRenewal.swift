import CKernels
import Tensors

/// The renewal of an output's backward differences by the output of the next full step: while that comes about, or behind it.
/// Where outputs are kept in bfloat16 it rounds that as well.
final class DifferenceRenewal: ProductEpilogue, @unchecked Sendable {
  /// The output of the full step before in float32, `[tokens, width]`; nil where it stands where the new one will.
  private let old: Tensor?
  /// What fresh tokens have made of it.
  private let refreshed: RefreshedOutput?
  /// The new output, if it is kept in bfloat16.
  private var rounded: FeatureTensor?
  private var differences: [FeatureTensor]
  /// How many of them have values from before.
  private let oldCount: Int
  private let distance: Int
  let shape: [Int]
  private var isDone = false

  // As the kernel takes them; what the pointers point to lives as long as this.
  private let own: (starts: [UnsafePointer<Float>?], factors: [Float])?
  private let orders: [clusca_order]
  private let source: clusca_term
  private let target: UnsafeMutablePointer<UInt16>?

  /// - Parameters:
  ///   - terms: the output at the full step before and its differences, `[tokens, width]` each, which are taken away, since
  ///     nobody else may hold what is changed.
  ///   - distance: of the two full steps.
  init(
    of terms: inout [FeatureTensor], refreshed: RefreshedOutput?, maximumOrder: Int, precision: SeriesPrecision,
    distance: Int
  ) {
    let shape = terms[0].shape
    old = terms[0].wide
    if precision.output == .bfloat16 {
      rounded = old == nil ? terms[0] : FeatureTensor(uninitialized: shape, in: .bfloat16)
    }
    terms.removeFirst()
    differences = []
    swap(&differences, &terms)
    oldCount = differences.count
    if oldCount < maximumOrder { differences.append(FeatureTensor(uninitialized: shape, in: precision.differences)) }
    (self.refreshed, self.distance, self.shape) = (refreshed, distance, shape)
    own = refreshed?.change.ownRows
    target = rounded?.uniqueOrder().narrow
    source = old.map { FeatureTensor($0).term } ?? clusca_term(wide: nil, narrow: target)
    var orders: [clusca_order] = []
    for place in differences.indices { orders.append(differences[place].uniqueOrder()) }
    self.orders = orders
  }

  var memory: ProductMemory {
    let features = differences + (rounded.map { [$0] } ?? [])
    return ProductMemory(
      (old.map { [$0] } ?? []) + features.compactMap(\.wide), narrow: features.compactMap(\.narrow),
      whole: refreshed?.change.memory ?? [])
  }

  func take(_ piece: UnsafePointer<Float>, stride: Int, rows: Range<Int>, columns: Range<Int>) {
    orders.withUnsafeBufferPointer { orders in
      var renewal = clusca_renewal(
        old: source, kept: 1, table: nil, labels: nil, own: nil, factors: nil, rounded: target,
        differences: orders.baseAddress, old_count: oldCount, new_count: orders.count, distance: Float(distance),
        stride: shape[1])
      func renew() {
        kernels.renew_differences(
          &renewal, piece, stride, rows.lowerBound, rows.count, columns.lowerBound, columns.count)
      }
      guard let refreshed, let own else { return renew() }
      (renewal.kept, renewal.table) = (refreshed.kept, refreshed.change.table?.start)
      refreshed.change.labels.withUnsafeBufferPointer { labels in
        own.starts.withUnsafeBufferPointer { starts in
          own.factors.withUnsafeBufferPointer { factors in
            (renewal.labels, renewal.own, renewal.factors) = (
              labels.baseAddress, starts.baseAddress, factors.baseAddress
            )
            renew()
          }
        }
      }
    }
  }

  func end() { isDone = true }

  /// The new output and its differences, which are renewed now unless its product has done it. Called once.
  func terms(of output: Tensor) -> [FeatureTensor] {
    precondition(shape == output.shape, "the outputs of a branch have one shape")
    if !isDone {
      let columns = output.columns
      Tensor.forEachRowRange(rows: output.rows, columns: columns * (orders.count + 2)) { rows in
        take(output.start + rows.lowerBound * columns, stride: columns, rows: rows, columns: 0..<columns)
      }
      end()
    }
    defer { (rounded, differences) = (nil, []) }
    return [rounded ?? FeatureTensor(output)] + differences
  }
}
