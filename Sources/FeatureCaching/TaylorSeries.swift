import CKernels
import Tensors

/// The output of one branch at the last full step, with its backward differences: what forecasts it.
///
/// Source: TaylorSeer (arXiv 2503.06923) as in the authors' code of ClusCa. Differences of order i + 1 divide the
/// difference of two differences of order i by the distance of the last two full steps alone; these are no divided
/// differences of Newton's where the distances differ.
struct TaylorSeries {
  let maximumOrder: Int
  let precision: SeriesPrecision
  /// The output (order 0) and its differences, `[tokens, width]` each; empty before the first full step.
  private var terms: [FeatureTensor] = []
  /// What fresh tokens have made of order 0 since the last full step; nil if there were none.
  private var refreshed: RefreshedOutput?

  init(maximumOrder: Int, precision: SeriesPrecision = SeriesPrecision()) {
    self.maximumOrder = maximumOrder
    self.precision = precision
  }

  /// A series that the next update finds as it found the one of these ``lowerOrders``.
  init(lowerOrders: [FeatureTensor], maximumOrder: Int, precision: SeriesPrecision) {
    self.init(maximumOrder: maximumOrder, precision: precision)
    terms = lowerOrders.enumerated().map { order, tensor in
      // The output may have in it what fresh tokens made of it, for which bfloat16 has no room.
      let isOutput = order == 0
      return isOutput && tensor.precision == .float32
        ? tensor : tensor.converted(to: isOutput ? precision.output : precision.differences)
    }
  }

  /// The output and its differences, `[tokens, width]` each. An output that fresh tokens have changed is as they have made it, in
  /// float32.
  var orders: [FeatureTensor] {
    guard let refreshed, var output = terms.first?.widened else { return terms }
    refreshed.write(into: &output)
    return [FeatureTensor(output)] + terms.dropFirst()
  }

  /// Begins to take the output of a full step, `distance` steps after the one before: gives away what its differences are
  /// renewed from. ``update(_:by:)`` takes it back.
  ///
  /// - Returns: nil if there are no differences, and early in a run, when outputs change too fast to be extrapolated
  ///   (`formsDifferences` is false).
  mutating func renewal(distance: Int, formsDifferences: Bool) -> DifferenceRenewal? {
    guard formsDifferences, maximumOrder > 0, !terms.isEmpty else { return nil }
    defer { refreshed = nil }
    return DifferenceRenewal(
      of: &terms, refreshed: refreshed, maximumOrder: maximumOrder, precision: precision, distance: distance)
  }

  /// Takes the output of a full step.
  ///
  /// - Parameter renewal: what has renewed the differences, or does it now; nil if there are none.
  mutating func update(_ output: Tensor, by renewal: DifferenceRenewal?) {
    terms = renewal?.terms(of: output) ?? [FeatureTensor(output, in: precision.output)]
    refreshed = nil
  }

  /// Both one behind the other.
  mutating func update(_ output: Tensor, distance: Int, formsDifferences: Bool) {
    let renewal = renewal(distance: distance, formsDifferences: formsDifferences)
    update(output, by: renewal)
  }

  /// Σᵢ orderᵢ · distanceⁱ / i!
  ///
  /// - Parameter kept: what is left of the output of the full step, if not all; what fresh tokens have changed is not part of
  ///   the forecast then.
  func forecast(distance: Int, kept: Float? = nil) -> Feature {
    var coefficients: [Float] = [kept ?? refreshed?.kept ?? 1]
    var coefficient = 1.0
    for order in 1..<max(terms.count, 1) {
      coefficient *= Double(distance) / Double(order)
      coefficients.append(Float(coefficient))
    }
    return Feature(terms: terms, coefficients: coefficients, change: kept == nil ? refreshed?.change : nil)
  }

  /// Takes fresh outputs of some tokens, `[tokens.count, width]`, and lets those of their clusters follow.
  ///
  /// - Parameter room: so many tokens are likely to be fresh until the next full step.
  mutating func refresh(
    _ tokens: [Int], with outputs: Tensor, clusters: TokenClusters, propagation: Float, summing: Bool, room: Int
  ) {
    var refreshed = refreshed ?? RefreshedOutput(labels: clusters.labels, width: outputs.columns, room: room)
    self.refreshed = nil  // so that it is changed in place
    refreshed.refresh(
      tokens, with: outputs, of: terms[0], clusters: clusters, propagation: propagation, summing: summing)
    self.refreshed = refreshed
  }

  /// What a token that was fresh at the last refresh has of its own, `[1, width]`.
  func freshRow(of token: Int) -> Tensor {
    guard let refreshed else { preconditionFailure("no token was fresh since the last full step") }
    return refreshed.change.unshrunkenRow(of: token)
  }

  /// What will be left of the output after so many refreshes more.
  func kept(after refreshes: Int, propagation: Float) -> Float {
    (0..<refreshes).reduce(refreshed?.kept ?? 1) { kept, _ in kept * (1 - propagation) }
  }

  /// What the next update looks at: the highest differences are formed anew from those below.
  var lowerOrders: ArraySlice<FeatureTensor> { orders.prefix(maximumOrder) }

  var byteCount: Int {
    terms.reduce(0) { $0 + $1.byteCount } + (refreshed?.change.byteCount ?? 0)
  }

  /// The bytes of a full series for a branch.
  static func byteCount(_ shape: BranchShape, maximumOrder: Int, precision: SeriesPrecision = SeriesPrecision()) -> Int
  {
    shape.tokens * shape.width * (precision.output.bytes + maximumOrder * precision.differences.bytes)
  }
}
