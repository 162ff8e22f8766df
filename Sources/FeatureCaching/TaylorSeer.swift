import Tensors

/// Forecasts every branch from its last outputs and their differences (arXiv 2503.06923).
public struct TaylorSeer: FeatureCachePolicy {
  /// Which steps are full.
  public var schedule: IntervalSchedule
  /// O: the highest order of the differences; 0 makes this ``FORA``.
  public var maximumOrder: Int
  public var precision: SeriesPrecision

  public init(schedule: IntervalSchedule, maximumOrder: Int, precision: SeriesPrecision = SeriesPrecision()) {
    precondition(maximumOrder >= 0, "an order is not negative")
    self.schedule = schedule
    self.maximumOrder = maximumOrder
    self.precision = precision
  }

  public var name: String { "taylorseer" }
  public func schedule(steps: Int) -> any StepSchedule { schedule.steps }
  public var cutChain: CutChain? { CutChain(schedule: schedule) }
  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int { step.kind.isFull ? shape.tokens : 0 }

  public func byteCount(_ shape: BranchShape) -> Int {
    TaylorSeries.byteCount(shape, maximumOrder: maximumOrder, precision: precision)
  }

  public func makeCache(_ setup: CacheSetup) -> any FeatureCache {
    TaylorCache(
      setup, enhancedSteps: schedule.enhancedSteps, maximumOrder: maximumOrder, precision: precision,
      cutChain: cutChain)
  }
}

/// A Taylor series for every branch: all of TaylorSeer, and what ClusCa and SpeCa build on.
class TaylorCache: FeatureCache {
  private let isObserved: Bool
  private let enhancedSteps: Int
  private let maximumOrder: Int
  private let precision: SeriesPrecision
  private(set) var series: [Branch: TaylorSeries] = [:]
  /// Of branches whose output comes about.
  private var renewals: [Branch: DifferenceRenewal] = [:]
  private(set) var step = CacheStep(index: 0, kind: .full)
  /// The distance of the last full step from the one before; 0 at the first.
  private var fullStepDistance = 0
  private var lastFullStep: Int?
  private let steps: Int
  private let cutChain: CutChain?
  /// By step, from the last full one on.
  private var forecastSums: [Int: ForecastSum] = [:]

  init(
    _ setup: CacheSetup, enhancedSteps: Int, maximumOrder: Int, precision: SeriesPrecision,
    cutChain: CutChain? = nil
  ) {
    isObserved = setup.isObserved
    steps = setup.steps
    self.cutChain = cutChain
    self.enhancedSteps = enhancedSteps
    self.maximumOrder = maximumOrder
    self.precision = precision
  }

  func begin(_ step: CacheStep) {
    self.step = step
    forecastSums = step.kind.isFull ? [:] : forecastSums.filter { $0.key >= step.index }
    guard step.kind.isFull else { return keepStarts() }
    fullStepDistance = lastFullStep.map { step.index - $0 } ?? 0
    lastFullStep = step.index
  }

  func features(_ branches: [Branch], compute: () -> [Tensor]) -> [Feature] {
    guard case .cached(let distance) = step.kind else {
      let outputs = compute()
      for (branch, output) in zip(branches, outputs) { keep(output, of: branch) }
      return outputs.map { Feature($0) }
    }
    return branches.map { forecast($0, distance: distance) }
  }

  func request(_ branch: Branch, of x: ResidualStream) -> RowRequest {
    guard case .cached(let distance) = step.kind else {
      return RowRequest(rows: x.all) { [self] output in
        keep(output, of: branch)
        return Feature(output)
      }
    }
    return RowRequest(rows: nil) { [self] _ in forecast(branch, distance: distance) }
  }

  func epilogue(of branch: Branch) -> (any ProductEpilogue)? {
    guard step.kind.isFull, let renewal = renewal(of: branch) else { return nil }
    renewals[branch] = renewal
    return renewal
  }

  func observe(_ stream: TokenStream, behind block: Int, _ hidden: ResidualStream) {}

  func summing(_ stream: TokenStream) -> StreamSumming {
    guard cutChain != nil, !step.kind.isFull else { return .directly }
    return .apart(stream == .text ? nil : forecastSums[step.index])
  }

  func stepsToPlan(from first: Int) -> [CacheStep] {
    guard let cutChain, !isObserved, forecastSums[first] == nil else { return [] }
    return cutChain.cutSteps(from: first, of: steps).map {
      CacheStep(index: $0, kind: cutChain.schedule.kind(ofStep: $0), clusters: step.clusters)
    }
  }

  func planner(for step: CacheStep, refreshes: Int) -> PlanningCache {
    PlanningCache(
      forecast: { [self] in forecast($0, at: step, refreshes: refreshes) },
      freshTokens: { [self] in freshTokens($0, at: step) })
  }

  func sumForecasts(
    of steps: [CacheStep], _ planners: [PlanningCache], from start: [Tensor]?, shape: [Int], isLast: Bool
  ) -> [Tensor] {
    let sums = ForecastSum.sums(of: planners.map(\.plan), from: start, tokens: shape[0], width: shape[1])
    for (step, sum) in zip(steps, sums) {
      forecastSums[step.index] = sum
      if !isLast { forecastSums[step.index]?.dropTotal() }
    }
    return sums.compactMap(\.total)
  }

  /// What is known now of the output of a branch at a coming step; it will be refreshed so many times until then, if at all.
  func forecast(_ branch: Branch, at step: CacheStep, refreshes: Int) -> Feature {
    guard case .cached(let distance) = step.kind else { preconditionFailure("full steps are not forecast") }
    return series(of: branch).forecast(distance: distance, kept: 1)
  }

  /// The clusters are known from the first cached step on, and stay.
  private func keepStarts() {
    for (index, sum) in forecastSums where sum.hasStart {
      var coming = step
      coming.index = index
      let branches = series.keys.filter { $0.stream == .image && $0.part == .mlp }
      forecastSums[index]?.keepStart(
        of: branches.compactMap { branch in freshTokens(branch, at: coming).map { (branch, $0) } })
    }
  }

  /// Those of this step, as far as the plan of the step has them.
  func plannedFreshTokens(_ branch: Branch) -> [Int]? { forecastSums[step.index]?.freshTokens(of: branch) }

  /// The tokens that a branch computes anew at a cached step; nil if it is only forecast.
  func freshTokens(_ branch: Branch, at step: CacheStep) -> [Int]? { nil }

  /// Attention is forecast at cached steps, and what the text's branches keep is of no use to the picture's.
  var leavesTextOut: Bool { !step.kind.isFull && !isObserved && verifiedBlock == nil }

  func take(_ handed: HandedChange) throws -> FreshChange {
    throw HandedChangeError(description: "no tokens are fresh under this policy")
  }

  func handOver(_ sums: StreamSums) -> HandedChange? { nil }

  var newClusters: [TokenStream: TokenClusters] { [:] }

  var verifiedBlock: Int? { nil }

  func makeVerifier() -> any FeatureCache { ComputingCache() }

  func verify(forecast: [TokenStream: Tensor], exact: [TokenStream: Tensor]) {}

  var signal: Float? { nil }

  var byteCount: Int {
    series.values.reduce(0) { $0 + $1.byteCount } + forecastSums.values.reduce(0) { $0 + $1.byteCount }
  }

  var snapshot: CacheSnapshot {
    let entries = series.flatMap { branch, series in
      series.lowerOrders.enumerated().map { order, tensor in
        CacheSnapshot.Entry(block: branch.block, name: "\(branch.name).\(order)", tensor: tensor)
      }
    }
    return CacheSnapshot(entries, lastFullStep: lastFullStep)
  }

  func restore(_ snapshot: CacheSnapshot) {
    lastFullStep = snapshot.lastFullStep
    var orders: [Branch: [Int: FeatureTensor]] = [:]
    for entry in snapshot.entries {
      let words = entry.name.split(separator: ".")
      guard let order = words.last.flatMap({ Int($0) }),
        let branch = Branch(entry.block, named: words.dropLast().joined(separator: "."))
      else { continue }
      orders[branch, default: [:]][order] = entry.tensor
    }
    series = orders.mapValues { orders in
      TaylorSeries(
        lowerOrders: orders.sorted { $0.key < $1.key }.map(\.value), maximumOrder: maximumOrder,
        precision: precision)
    }
  }

  func show(_ probe: Probe) {
    for (branch, series) in series {
      let probe = probe.module("\(branch.block).\(branch.stream).\(branch.part)")
      for (order, tensor) in series.orders.enumerated() { probe("\(order)", tensor.widened) }
    }
  }

  private func keep(_ output: Tensor, of branch: Branch) {
    let renewal = renewals.removeValue(forKey: branch) ?? renewal(of: branch)
    series[branch, default: TaylorSeries(maximumOrder: maximumOrder, precision: precision)].update(output, by: renewal)
  }

  private func renewal(of branch: Branch) -> DifferenceRenewal? {
    series[branch]?.renewal(distance: fullStepDistance, formsDifferences: step.index >= enhancedSteps - 1)
  }

  /// The Taylor sum of a branch.
  func forecast(_ branch: Branch, distance: Int) -> Feature { series(of: branch).forecast(distance: distance) }

  /// Every branch has been through a full step before.
  func series(of branch: Branch) -> TaylorSeries {
    guard let series = series[branch] else { preconditionFailure("\(branch) was never computed") }
    return series
  }

  /// Takes fresh outputs of some tokens of a branch.
  func refresh(
    _ branch: Branch, _ tokens: [Int], with outputs: Tensor, clusters: TokenClusters, propagation: Float, summing: Bool,
    room: Int
  ) {
    series[branch]?.refresh(
      tokens, with: outputs, clusters: clusters, propagation: propagation, summing: summing, room: room)
  }
}
