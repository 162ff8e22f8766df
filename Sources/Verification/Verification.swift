/// Runs recorded cases of other software through this program and says how far it is from them.
public struct Verification: Sendable {
  public let manifest: GoldenManifest

  private static let runners: [any CaseRunner.Type] = [
    FluxPipelineCase.self, FluxCachingCase.self, DiTPipelineCase.self, DiTCachingCase.self,
    HunyuanVideoPipelineCase.self, HunyuanVideoCachingCase.self, DecoderCase.self, VideoDecoderCase.self,
    OperationsCase.self, RandomNumbersCase.self, SchedulerTablesCase.self,
  ]

  /// The case of the tokenizers, which the manifest does not list: `out/tokenizers.json`.
  public static let tokenizersCase = "tokenizers"

  public init(root: String) throws { manifest = try GoldenManifest(root: root) }

  /// The names of all cases, in the manifest's order.
  public var names: [String] {
    manifest.cases.map(\.name) + (TokenizersCase.exists(root: manifest.root) ? [Self.tokenizersCase] : [])
  }

  /// Runs one case.
  ///
  /// - Throws: `CancellationError` if the task is cancelled; everything else that goes wrong is in the outcome.
  public func run(_ name: String) async throws -> CaseOutcome {
    if name == Self.tokenizersCase { return TokenizersCase.run(root: manifest.root) }
    guard let golden = manifest.cases.first(where: { $0.name == name }) else {
      return CaseOutcome(name: name, failures: ["there is no case of this name in \(manifest.root)/out/manifest.json"])
    }
    guard let runner = Self.runners.first(where: { $0.kinds.contains(golden.kind) }) else {
      return CaseOutcome(name: name, failures: ["a case of the kind \"\(golden.kind)\" cannot be run"])
    }
    do {
      let comparison = try GoldenComparison(golden)
      try await runner.run(comparison)
      return CaseOutcome(name: name, comparison.finish(isInput: runner.isInput))
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      return CaseOutcome(name: name, failures: ["\(error)"])
    }
  }
}

/// What came out of a case.
public struct CaseOutcome: Sendable {
  public var name: String
  /// How many recorded tensors were compared.
  public var tensors: Int
  /// The tensor that is nearest to its tolerance, or farthest beyond it.
  public var worst: Worst?
  /// One sentence for everything that is not as recorded; empty if the case passed.
  public var failures: [String]
  /// One sentence for everything recorded that was left out, and why.
  public var remarks: [String] = []

  public struct Worst: Sendable {
    public var tensor: String
    /// In the metric of the case.
    public var error: Double
    public var tolerance: Double
    /// error / tolerance
    public var ratio: Double
  }

  public var passed: Bool { failures.isEmpty }

  init(name: String, tensors: Int = 0, failures: [String]) {
    self.name = name
    self.tensors = tensors
    self.failures = failures
  }

  init(name: String, _ report: GoldenComparison.Report) {
    self.init(name: name, tensors: report.tensors, failures: report.failures)
    worst = report.worst.map { Worst(tensor: $0.name, error: $0.error, tolerance: $0.limit, ratio: $0.ratio) }
  }
}
