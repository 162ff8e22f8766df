import CKernels
import Tensors

/// The output of one branch at the last full step, with its backward differences: what forecasts it.
///
/// Source: TaylorSeer (arXiv 2503.06923) as in the authors' code of ClusCa. Differences of order i + 1 divide the
/// difference of two differences of order i by the distance of the last two full steps alone; these are no divided
/// differences of Newton's where the distances differ.
struct TaylorSeries {
  let maximumOrder: Int
  let precision: FeaturePrecision
  /// The output (order 0) and, in float32, its differences, `[tokens, width]` each; empty before the first full step.
  private var wide: [Tensor] = []
  /// The differences in bfloat16.
  private var narrow: [BFloat16Tensor] = []

  init(maximumOrder: Int, precision: FeaturePrecision = .float32) {
    self.maximumOrder = maximumOrder
    self.precision = precision
  }

  /// A series that the next update finds as it found the one of these ``lowerOrders``.
  init(lowerOrders: [Tensor], maximumOrder: Int, precision: FeaturePrecision) {
    self.init(maximumOrder: maximumOrder, precision: precision)
    switch precision {
    case .float32: wide = lowerOrders
    case .bfloat16:
      wide = Array(lowerOrders.prefix(1))
      narrow = lowerOrders.dropFirst().map(BFloat16Tensor.init(rounding:))
    }
  }

  /// The output and its differences, in float32.
  var orders: [Tensor] { wide + narrow.map(\.widened) }

  private var count: Int { wide.count + narrow.count }

  /// Takes the output of a full step, `distance` steps after the one before.
  ///
  /// - Parameter formsDifferences: false early in a run, when outputs change too fast to be extrapolated.
  mutating func update(_ output: Tensor, distance: Int, formsDifferences: Bool) {
    guard formsDifferences, maximumOrder > 0, !wide.isEmpty else {
      (wide, narrow) = ([output], [])
      return
    }
    precondition(wide[0].shape == output.shape, "the outputs of a branch have one shape")
    let oldCount = count
    if oldCount <= maximumOrder {
      switch precision {
      case .float32: wide.append(Tensor(uninitialized: output.shape))
      case .bfloat16: narrow.append(BFloat16Tensor(uninitialized: output.shape))
      }
    }
    let newCount = count
    let (rows, columns) = (output.rows, output.columns)
    withMutableOrders { orders in
      output.withUnsafeElements { output in
        guard let output = output.baseAddress else { return }
        Tensor.forEachRowRange(rows: rows, columns: columns * (newCount + 1)) { range in
          let start = range.lowerBound * columns
          let moved = orders.map { order in
            clusca_order(wide: order.wide.map { $0 + start }, narrow: order.narrow.map { $0 + start })
          }
          kernels.update_differences(
            moved, oldCount, newCount, output + start, Float(distance), range.count * columns)
        }
      }
    }
  }

  /// The orders as kernels take them, to be changed; the pointers are good only during the call.
  private mutating func withMutableOrders(_ body: ([clusca_order]) -> Void) {
    var narrow = narrow
    self.narrow = []  // so that they can be changed in place
    Tensor.withMutableElements(of: &wide) { wide in
      BFloat16Tensor.withMutableElements(of: &narrow) { narrow in
        body(wide.map { clusca_order(wide: $0, narrow: nil) } + narrow.map { clusca_order(wide: nil, narrow: $0) })
      }
    }
    self.narrow = narrow
  }

  /// Σᵢ orderᵢ · distanceⁱ / i!
  func forecast(distance: Int) -> Feature {
    var coefficients: [Float] = []
    var coefficient = 1.0
    for order in 0..<count {
      if order > 0 { coefficient *= Double(distance) / Double(order) }
      coefficients.append(Float(coefficient))
    }
    return Feature(terms: wide, narrowTerms: narrow, coefficients: coefficients)
  }

  /// What the next update looks at: the highest differences are formed anew from those below.
  var lowerOrders: ArraySlice<Tensor> { orders.prefix(maximumOrder) }

  /// Changes order 0 in place.
  mutating func withLatest(_ body: (inout Tensor) -> Void) { body(&wide[0]) }

  var byteCount: Int { wide.reduce(0) { $0 + $1.byteCount } + narrow.reduce(0) { $0 + $1.byteCount } }

  /// The bytes of a full series for a branch.
  static func byteCount(_ shape: BranchShape, maximumOrder: Int, precision: FeaturePrecision = .float32) -> Int {
    shape.tokens * shape.width * (MemoryLayout<Float>.stride + maximumOrder * precision.bytes)
  }
}
