import Tensors

/// Goes through the blocks in the place of a cache for a cached step that is still to come: nothing is computed, and what its
/// forecasts will add is written down.
public final class PlanningCache: FeatureCache {
  let plan = ForecastPlan()
  private let forecast: (Branch) -> Feature
  private let freshTokens: (Branch) -> [Int]?

  /// - Parameters:
  ///   - forecast: what is known of a branch's output, without what fresh tokens will change.
  ///   - freshTokens: those that a branch will compute anew; nil if it will only be forecast.
  init(forecast: @escaping (Branch) -> Feature, freshTokens: @escaping (Branch) -> [Int]?) {
    self.forecast = forecast
    self.freshTokens = freshTokens
  }

  public func begin(_ step: CacheStep) {}

  public func features(_ branches: [Branch], compute: () -> [Tensor]) -> [Feature] { branches.map(forecast) }

  public func request(_ branch: Branch, of x: ResidualStream) -> RowRequest {
    if let tokens = freshTokens(branch) { plan.read(branch, tokens: tokens) }
    let feature = forecast(branch)
    return RowRequest(rows: nil) { _ in feature }
  }

  public func summing(_ stream: TokenStream) -> StreamSumming { .planning(plan) }
  public var leavesTextOut: Bool { true }
  public var byteCount: Int { 0 }
}
