import CKernels
import Tensors

/// The renewal of an output's backward differences by the output of the next full step: while that comes about, or behind it.
final class DifferenceRenewal: ProductEpilogue, @unchecked Sendable {
  /// The output of the full step before, `[tokens, width]`, and what fresh tokens have made of it.
  private let old: Tensor
  private let refreshed: RefreshedOutput?
  /// The differences, of which those in one of the two precisions are none.
  private var wide: [Tensor]
  private var narrow: [BFloat16Tensor]
  /// How many of them have values from before.
  private let oldCount: Int
  private let distance: Int
  private var isDone = false

  // As the kernel takes them; what the pointers point to lives as long as this.
  private let own: (starts: [UnsafePointer<Float>?], factors: [Float])?
  private let orders: [clusca_order]

  /// - Parameters:
  ///   - old: the output at the full step before.
  ///   - wide: its differences, `[tokens, width]` each, which are taken away, since nobody else may hold what is changed.
  ///   - narrow: likewise.
  ///   - distance: of the two full steps.
  init(
    of old: Tensor, refreshed: RefreshedOutput?, wide: inout [Tensor], narrow: inout [BFloat16Tensor],
    maximumOrder: Int, precision: FeaturePrecision, distance: Int
  ) {
    (self.wide, self.narrow) = ([], [])
    swap(&self.wide, &wide)
    swap(&self.narrow, &narrow)
    oldCount = self.wide.count + self.narrow.count
    if oldCount < maximumOrder {
      switch precision {
      case .float32: self.wide.append(Tensor(uninitialized: old.shape))
      case .bfloat16: self.narrow.append(BFloat16Tensor(uninitialized: old.shape))
      }
    }
    (self.old, self.refreshed, self.distance) = (old, refreshed, distance)
    own = refreshed?.change.ownRows
    var orders: [clusca_order] = []
    for place in self.wide.indices { orders.append(clusca_order(wide: self.wide[place].uniqueStart(), narrow: nil)) }
    for place in self.narrow.indices {
      orders.append(clusca_order(wide: nil, narrow: self.narrow[place].uniqueStart()))
    }
    self.orders = orders
  }

  var shape: [Int] { old.shape }

  var memory: ProductMemory { ProductMemory([old] + wide, narrow: narrow, whole: refreshed?.change.memory ?? []) }

  func take(_ piece: UnsafePointer<Float>, stride: Int, rows: Range<Int>, columns: Range<Int>) {
    orders.withUnsafeBufferPointer { orders in
      var renewal = clusca_renewal(
        old: old.start, kept: 1, table: nil, labels: nil, own: nil, factors: nil, differences: orders.baseAddress,
        old_count: oldCount, new_count: orders.count, distance: Float(distance), stride: old.columns)
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

  /// The differences of the new output, which are renewed now unless its product has done it. Called once.
  func differences(of output: Tensor) -> (wide: [Tensor], narrow: [BFloat16Tensor]) {
    precondition(old.shape == output.shape, "the outputs of a branch have one shape")
    if !isDone {
      let columns = output.columns
      Tensor.forEachRowRange(rows: output.rows, columns: columns * (orders.count + 2)) { rows in
        take(output.start + rows.lowerBound * columns, stride: columns, rows: rows, columns: 0..<columns)
      }
      end()
    }
    defer { (wide, narrow) = ([], []) }
    return (wide, narrow)
  }
}
