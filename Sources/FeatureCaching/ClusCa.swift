import Tensors

/// ClusCa (arXiv 2509.10312): clusters the tokens at full steps; at cached steps computes one random token of each cluster
/// in every token-wise branch, moves the kept outputs of the others towards it, and forecasts all by Taylor series.
public struct ClusCa: FeatureCachePolicy {
  /// Which steps are full.
  public var schedule: IntervalSchedule
  /// O: the highest order of the differences.
  public var maximumOrder: Int
  /// K: the clusters of a stream; 0 makes this ``TaylorSeer``.
  public var clusters: Int
  /// γ: how far the kept outputs of a cluster's tokens move towards the fresh one, in 0...1.
  public var propagation: Float
  /// The streams whose tokens move; in the others only the fresh tokens change. The authors' code has the picture's alone
  /// for FLUX.
  public var propagatingStreams: Set<TokenStream>
  public var kMeans: KMeans
  /// In what outputs and differences are kept.
  public var precision: SeriesPrecision
  public var quirks: Quirks

  /// Where the authors' code does what its description does not say. By default it is done as described.
  public struct Quirks: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// An empty cluster computes token 0 too.
    public static let emptyClustersPickTokenZero = Quirks(rawValue: 1)
    /// If a cluster has several fresh tokens, their sum is propagated rather than their mean.
    public static let sumOfFreshTokens = Quirks(rawValue: 2)
    /// What the picture's fresh tokens gave is kept for as many of the text's, and what these gave is not. A defect of the
    /// code for HunyuanVideo alone.
    public static let textTakesImageOutputs = Quirks(rawValue: 4)
    /// What their code for every model has.
    public static let authorsCode: Quirks = [.emptyClustersPickTokenZero, .sumOfFreshTokens]
  }

  /// - Parameters:
  ///   - maximumOrder: 0 or more.
  ///   - clusters: of each stream, 0 or more; more than a stream has tokens leave some of them empty.
  ///   - propagation: in 0...1.
  ///   - kMeansIterations: at most so many at a full step, 1 or more.
  public init(
    schedule: IntervalSchedule, maximumOrder: Int, clusters: Int, propagation: Float,
    propagatingStreams: Set<TokenStream> = [.image], kMeansIterations: Int = 10, quirks: Quirks = [],
    precision: SeriesPrecision = SeriesPrecision()
  ) {
    precondition(maximumOrder >= 0 && clusters >= 0, "orders and clusters are not negative")
    precondition(propagation >= 0 && propagation <= 1, "the propagation is a share")
    self.schedule = schedule
    self.maximumOrder = maximumOrder
    self.clusters = clusters
    self.propagation = propagation
    self.propagatingStreams = propagatingStreams
    kMeans = KMeans(maximumIterations: kMeansIterations)
    self.quirks = quirks
    self.precision = precision
  }

  public var name: String { "clusca" }
  public var clusterCount: Int? { clusters > 0 ? clusters : nil }
  public func schedule(steps: Int) -> any StepSchedule { schedule.steps }

  public var cutChain: CutChain? {
    CutChain(schedule: schedule, freshTokens: clusters, movesClusters: clusters > 0 && propagation(of: .image) > 0)
  }

  /// γ for the tokens of a stream.
  func propagation(of stream: TokenStream) -> Float { propagatingStreams.contains(stream) ? propagation : 0 }

  public func byteCount(_ shape: BranchShape) -> Int {
    TaylorSeries.byteCount(shape, maximumOrder: maximumOrder, precision: precision)
      + (shape.isTokenwise ? changeByteCount(shape) : 0)
  }

  /// Of what fresh tokens change of a branch between two full steps, and of the sums in front of it that are wanted ahead for
  /// the picture's.
  private func changeByteCount(_ shape: BranchShape) -> Int {
    let change = FreshChange.byteCount(
      clusters: propagation(of: shape.branch.stream) > 0 ? clusters : 0,
      freshTokens: min(shape.tokens, freshTokensBetweenFullSteps), width: shape.width)
    guard shape.branch.stream == .image, let chain = cutChain else { return change }
    let rowsAhead = chain.mostCutSteps * min(shape.tokens, clusters)
    return change + rowsAhead * shape.width * MemoryLayout<Float>.stride
  }

  /// The most tokens of a branch that are fresh from one full step to the next.
  fileprivate var freshTokensBetweenFullSteps: Int { clusters * (schedule.interval - 1) }

  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int {
    step.kind.isFull ? shape.tokens : shape.isTokenwise ? min(clusters, shape.tokens) : 0
  }

  public func makeCache(_ setup: CacheSetup) -> any FeatureCache {
    ClusCaCache(policy: self, setup)
  }
}

final class ClusCaCache: TaylorCache {
  private let policy: ClusCa
  private let choices: any TokenChoices
  private var found: [TokenStream: TokenClusters] = [:]
  /// Those of the last full step begin those of the next, so that clusters keep their meaning; with the block behind which
  /// they lie.
  private var centroids: [TokenStream: (block: Int, tensor: Tensor)] = [:]
  /// Of the last full step.
  private var clusterings: [TokenStream: KMeans.Result] = [:]
  /// What the picture's fresh tokens gave at this step, by block; kept only for a quirk.
  private var imageOutputs: [Int: Tensor] = [:]
  /// What fresh tokens of the picture have changed in the branches of stages before since the last full step, by block.
  private var changesBefore: [Int: FreshChange] = [:]
  /// What was handed over at this step.
  private var received: HandedChange?
  /// The picture's branches that have had fresh tokens at this step, with those.
  private var refreshed: [(branch: Branch, tokens: [Int])] = []
  private let layout: BlockLayout

  init(policy: ClusCa, _ setup: CacheSetup) {
    self.policy = policy
    choices = setup.choices
    layout = setup.layout
    super.init(
      setup, enhancedSteps: policy.schedule.enhancedSteps, maximumOrder: policy.maximumOrder,
      precision: policy.precision, cutChain: policy.cutChain)
  }

  override func begin(_ step: CacheStep) {
    super.begin(step)
    found = [:]
    imageOutputs = [:]
    (received, refreshed) = (nil, [])
    if step.kind.isFull { changesBefore = [:] }
  }

  override func request(_ branch: Branch, of x: ResidualStream) -> RowRequest {
    guard case .cached(let distance) = step.kind, let clusters = step.clusters[branch.stream] else {
      return super.request(branch, of: x)
    }
    let fresh = plannedFreshTokens(branch) ?? freshTokens(branch, at: step) ?? []
    if branch.stream == .text, let image = imageOutputs[branch.block] {
      return RowRequest(rows: nil) { [self] _ in
        let fresh = Array(fresh.prefix(image.rows))
        refresh(branch, fresh, with: image.rows(0..<fresh.count), clusters)
        return forecast(branch, distance: distance)
      }
    }
    return RowRequest(rows: x.gathered(tokens: fresh, for: branch)) { [self] outputs in
      if branch.stream == .image, policy.quirks.contains(.textTakesImageOutputs) {
        imageOutputs[branch.block] = outputs
      }
      refresh(branch, fresh, with: outputs, clusters)
      return forecast(branch, distance: distance)
    }
  }

  override func freshTokens(_ branch: Branch, at step: CacheStep) -> [Int]? {
    guard let clusters = step.clusters[branch.stream] else { return nil }
    let chosen = choices.freshTokens(step: step.index, branch: branch, clusters: clusters)
    return chosen.compactMap { $0 ?? (policy.quirks.contains(.emptyClustersPickTokenZero) ? 0 : nil) }
  }

  override func forecast(_ branch: Branch, at step: CacheStep, refreshes: Int) -> Feature {
    // Its clusters may not be known yet, but at cached steps there are some.
    guard branch.part == .mlp, policy.clusters > 0, case .cached(let distance) = step.kind else {
      return super.forecast(branch, at: step, refreshes: refreshes)
    }
    let series = series(of: branch)
    return series.forecast(
      distance: distance, kept: series.kept(after: refreshes, propagation: policy.propagation(of: branch.stream)))
  }

  /// Lets the outputs of fresh tokens take the place of kept ones, and those of their clusters follow.
  private func refresh(_ branch: Branch, _ fresh: [Int], with outputs: Tensor, _ clusters: TokenClusters) {
    refresh(
      branch, fresh, with: outputs, clusters: clusters, propagation: policy.propagation(of: branch.stream),
      summing: policy.quirks.contains(.sumOfFreshTokens), room: policy.freshTokensBetweenFullSteps)
    if branch.stream == .image { refreshed.append((branch, fresh)) }
  }

  // MARK: - Between stages

  override func take(_ handed: HandedChange) throws -> FreshChange {
    guard let clusters = step.clusters[.image] else { throw HandedChangeError(description: "there are no clusters") }
    let share = policy.propagation(of: .image)
    guard handed.gates.rows <= layout.splitBlocks, (handed.table?.rows ?? clusters.count) == clusters.count,
      (handed.table != nil) == (share > 0)
    else { throw HandedChangeError(description: "it is of other branches or clusters") }
    let width = handed.gates.columns
    var sum = FreshChange(labels: clusters.labels, width: width, table: handed.table)
    var row = 0
    for block in 0..<handed.gates.rows {
      let fresh = (freshTokens(Branch(block, .image, .mlp), at: step) ?? []).distinct
      guard row + fresh.count <= handed.rows.rows else { break }
      var change = changesBefore.removeValue(forKey: block) ?? FreshChange(labels: clusters.labels, width: width)
      handed.rows.withUnsafeElements { rows in
        for (place, token) in fresh.enumerated() {
          change.withRow(of: token) { target, _ in
            target.update(from: rows.baseAddress! + (row + place) * width, count: width)
          }
        }
      }
      if share > 0 { change.shrinkRows(by: 1 - share) }
      sum.add(change, gate: handed.gates.rows(block..<block + 1))
      changesBefore[block] = change
      row += fresh.count
    }
    guard row == handed.rows.rows else {
      throw HandedChangeError(description: "it has \(handed.rows.rows) rows of fresh tokens, not \(row)")
    }
    received = handed
    return sum
  }

  override func handOver(_ sums: StreamSums) -> HandedChange? {
    let own = refreshed.flatMap { branch, tokens in
      tokens.distinct.map { series(of: branch).freshRow(of: $0) }
    }
    let gates = sums.gates.map { $0.reshaped([1, $0.count]) }
    guard let change = sums.changes.first?.change, received != nil || !gates.isEmpty else { return nil }
    return HandedChange(
      table: change.table, gates: Tensor.concatenated(rows: (received.map { [$0.gates] } ?? []) + gates),
      rows: Tensor.concatenated(rows: (received.map { [$0.rows] } ?? []) + own))
  }

  override func observe(_ stream: TokenStream, behind block: Int, _ hidden: ResidualStream) {
    guard step.kind.isFull, policy.clusters > 0 else { return }
    let hidden = hidden.all
    let start =
      centroids[stream]?.tensor
      ?? hidden.gathered(
        rows: choices.initialCentroids(policy.clusters, of: hidden.rows, stream: stream))
    let clustering = policy.kMeans(hidden, from: start)
    centroids[stream] = (block, clustering.centroids)
    clusterings[stream] = clustering
    found[stream] = clustering.clusters
  }

  override var newClusters: [TokenStream: TokenClusters] { found }

  private static let centroidsName = "centroids"

  override var snapshot: CacheSnapshot {
    super.snapshot.adding(
      centroids.map { stream, place in
        CacheSnapshot.Entry(
          block: place.block, name: "\(Self.centroidsName).\(stream)", tensor: FeatureTensor(place.tensor))
      })
  }

  override func restore(_ snapshot: CacheSnapshot) {
    super.restore(snapshot)
    for entry in snapshot.entries {
      for stream in TokenStream.allCases where entry.name == "\(Self.centroidsName).\(stream)" {
        centroids[stream] = (entry.block, entry.tensor.widened)
      }
    }
  }

  override func show(_ probe: Probe) {
    super.show(probe)
    guard step.kind.isFull else { return }
    for (stream, clustering) in clusterings {
      let probe = probe.module("clusters.\(stream)")
      probe("labels", Tensor(clustering.clusters.labels.map(Float.init), shape: [clustering.clusters.labels.count]))
      probe("centroids", clustering.centroids)
      probe("iterations", Tensor([Float(clustering.iterations)], shape: [1]))
    }
  }

  override var byteCount: Int {
    super.byteCount + centroids.values.reduce(0) { $0 + $1.tensor.byteCount }
      + changesBefore.values.reduce(0) { $0 + $1.byteCount }
  }
}

extension [Int] {
  /// Each number once, where it comes first.
  fileprivate var distinct: [Int] {
    var seen = Set<Int>()
    return filter { seen.insert($0).inserted }
  }
}
