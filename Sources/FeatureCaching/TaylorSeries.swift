import CKernels
import Tensors

/// The output of one branch at the last full step, with its backward differences: what forecasts it.
///
/// Source: TaylorSeer (arXiv 2503.06923) as in the authors' code of ClusCa. Differences of order i + 1 divide the
/// difference of two differences of order i by the distance of the last two full steps alone; these are no divided
/// differences of Newton's where the distances differ.
struct TaylorSeries {
  let maximumOrder: Int
  /// The output (order 0) and its differences, `[tokens, width]` each; empty before the first full step.
  private(set) var orders: [Tensor] = []

  init(maximumOrder: Int) { self.maximumOrder = maximumOrder }

  /// Takes the output of a full step, `distance` steps after the one before.
  ///
  /// - Parameter formsDifferences: false early in a run, when outputs change too fast to be extrapolated.
  mutating func update(_ output: Tensor, distance: Int, formsDifferences: Bool) {
    guard formsDifferences, maximumOrder > 0, !orders.isEmpty else {
      orders = [output]
      return
    }
    precondition(orders.allSatisfy { $0.shape == output.shape }, "the outputs of a branch have one shape")
    let oldCount = orders.count
    if oldCount <= maximumOrder { orders.append(Tensor(uninitialized: output.shape)) }
    let newCount = orders.count
    let (rows, columns) = (output.rows, output.columns)
    Tensor.withMutableElements(of: &orders) { orders in
      output.withUnsafeElements { output in
        guard let output = output.baseAddress else { return }
        Tensor.forEachRowRange(rows: rows, columns: columns * (newCount + 1)) { range in
          let start = range.lowerBound * columns
          let moved = orders.map { Optional($0 + start) }
          kernels.update_differences(
            moved, oldCount, newCount, output + start, Float(distance), range.count * columns)
        }
      }
    }
  }

  /// Σᵢ orderᵢ · distanceⁱ / i!
  func forecast(distance: Int) -> Feature {
    var coefficients: [Float] = []
    var coefficient = 1.0
    for order in orders.indices {
      if order > 0 { coefficient *= Double(distance) / Double(order) }
      coefficients.append(Float(coefficient))
    }
    return Feature(terms: orders, coefficients: coefficients)
  }

  /// What the next update looks at: the highest differences are formed anew from those below.
  var lowerOrders: ArraySlice<Tensor> { orders.prefix(maximumOrder) }

  /// A series that the next update finds as it found the one of these ``lowerOrders``.
  init(lowerOrders: [Tensor], maximumOrder: Int) {
    self.maximumOrder = maximumOrder
    orders = lowerOrders
  }

  /// Changes order 0 in place.
  mutating func withLatest(_ body: (inout Tensor) -> Void) { body(&orders[0]) }

  var byteCount: Int { orders.reduce(0) { $0 + $1.byteCount } }

  /// The bytes of a full series for a branch.
  static func byteCount(_ shape: BranchShape, maximumOrder: Int) -> Int {
    (maximumOrder + 1) * shape.tokens * shape.width * MemoryLayout<Float>.stride
  }
}
