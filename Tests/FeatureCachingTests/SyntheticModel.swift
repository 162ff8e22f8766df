import FeatureCaching
import Tensors

/// A small model of several blocks and branches, whose outputs hang on the step and on all tokens: what policies are
/// tried on.
struct SyntheticModel {
  static let (imageTokens, textTokens, width) = (160, 24, 256)
  static let (doubleBlocks, blockCount) = (3, 5)
  static let layout = BlockLayout(blocks: blockCount, splitBlocks: doubleBlocks)

  static func setup(_ choices: any TokenChoices, steps: Int) -> CacheSetup {
    CacheSetup(choices: choices, steps: steps, layout: layout, columns: 16)
  }

  /// All branches in the order of evaluation.
  static var branches: [BranchShape] {
    func shape(_ block: Int, _ stream: TokenStream, _ part: Branch.Part, _ tokens: Int) -> BranchShape {
      BranchShape(
        branch: Branch(block, stream, part), tokens: tokens, width: width, operations: tokens,
        rowOperations: part == .mlp ? tokens : 0, layout: layout)
    }
    return (0..<doubleBlocks).flatMap { block in
      [
        shape(block, .image, .attention, imageTokens), shape(block, .text, .attention, textTokens),
        shape(block, .image, .mlp, imageTokens), shape(block, .text, .mlp, textTokens),
      ]
    } + (doubleBlocks..<blockCount).map { shape($0, .joint, .whole, imageTokens + textTokens) }
  }

  /// The input of a step.
  static func noise(_ step: Int, _ stream: TokenStream) -> Tensor {
    let tokens = stream == .image ? imageTokens : textTokens
    let key = RandomKey(seed: 5, purpose: .test, step: UInt32(step), stream: stream.rawValue)
    // Tokens of a few kinds, so that there is something to cluster.
    var x = Tensor(key.uniforms(0..<tokens * width), shape: [tokens, width])
    for token in 0..<tokens { x[token * width] += Float(token % 7) * 3 }
    return x
  }

  /// Some blocks of a step.
  func run(_ blocks: Range<Int>, _ streams: inout [TokenStream: Tensor], _ cache: any FeatureCache, step: Int) {
    for block in blocks {
      if block < Self.doubleBlocks {
        runDouble(block, &streams, cache, step: step)
      } else {
        var joint =
          streams[.joint] ?? Tensor.concatenated(rows: [streams[.text]!, streams[.image]!])
        let whole = cache.feature(Branch(block, .joint, .whole)) { Self.mixed(joint, block) }
        joint.add(whole, gate: Self.gate(step, block))
        streams = [.joint: joint]
      }
    }
  }

  private func runDouble(
    _ block: Int, _ streams: inout [TokenStream: Tensor], _ cache: any FeatureCache, step: Int
  ) {
    var (image, text) = (streams[.image]!, streams[.text]!)
    let joint = cache.features([Branch(block, .image, .attention), Branch(block, .text, .attention)]) {
      let all = Self.mixed(Tensor.concatenated(rows: [text, image]), block)
      return [all.rows(text.rows..<all.rows), all.rows(0..<text.rows)]
    }
    let gate = Self.gate(step, block)
    image.add(joint[0], gate: gate)
    image.add(cache.feature(Branch(block, .image, .mlp), of: image) { Self.perToken($0, block) }, gate: gate)
    if block == Self.doubleBlocks - 1 { cache.observe(.image, behind: block, image) }
    text.add(joint[1], gate: gate)
    text.add(cache.feature(Branch(block, .text, .mlp), of: text) { Self.perToken($0, block) }, gate: gate)
    if block == Self.doubleBlocks - 1 { cache.observe(.text, behind: block, text) }
    streams = [.image: image, .text: text]
  }

  /// Every token with the mean of all.
  private static func mixed(_ x: Tensor, _ block: Int) -> Tensor {
    var y = x.applying(.geluTanh)
    let means = (0..<x.columns).map { column in
      (0..<x.rows).reduce(Float(0)) { $0 + x[$1 * x.columns + column] } / Float(x.rows)
    }
    let mean = Tensor((0..<x.rows).flatMap { _ in means }, shape: x.shape)
    y.scale(by: 0.25, adding: mean, times: 0.1 * Float(block + 1))
    return y
  }

  /// Each token for itself.
  private static func perToken(_ x: Tensor, _ block: Int) -> Tensor {
    var y = LayerNorm(epsilon: 1e-6)(x).applying(.silu)
    y.scale(by: 0.5, adding: x, times: -0.01 * Float(block + 1))
    return y
  }

  private static func gate(_ step: Int, _ block: Int) -> Tensor {
    Tensor((0..<width).map { 0.3 + 0.01 * Float(($0 + step + block) % 11) }, shape: [width])
  }
}

/// A run of the model over several stages, each with a cache of its own, as a coordinator would lead it.
struct SyntheticRun {
  var outputs: [Tensor] = []
  var clusters: [[TokenStream: TokenClusters]] = []
  var caches: [any FeatureCache]

  /// - Parameter cuts: the first block of each stage but the first.
  init(
    _ policy: any FeatureCachePolicy, steps: Int = 14, cuts: [Int] = [],
    choices: any TokenChoices = KeyedChoices(seed: 11)
  ) {
    let bounds = [0] + cuts + [SyntheticModel.blockCount]
    caches = bounds.dropLast().map { _ in policy.makeCache(SyntheticModel.setup(choices, steps: steps)) }
    var known: [TokenStream: TokenClusters] = [:]
    for (step, kind) in policy.plannedSteps(steps).map(\.kind).enumerated() {
      var streams: [TokenStream: Tensor] = [
        .image: SyntheticModel.noise(step / 3, .image), .text: SyntheticModel.noise(0, .text),
      ]
      var found: [TokenStream: TokenClusters] = [:]
      for (stage, cache) in caches.enumerated() {
        cache.begin(CacheStep(index: step, kind: kind, clusters: kind.isFull ? [:] : known))
        SyntheticModel().run(bounds[stage]..<bounds[stage + 1], &streams, cache, step: step)
        found.merge(cache.newClusters) { _, new in new }
      }
      if kind.isFull { known = found }
      clusters.append(found)
      outputs.append(streams[.joint]!)
    }
  }
}

/// Caches take streams to which features are added; tests have plain tensors.
extension FeatureCache {
  func feature(_ branch: Branch, of x: Tensor, compute: (Tensor) -> Tensor) -> Feature {
    feature(branch, of: ResidualStream(x), compute: compute)
  }

  func observe(_ stream: TokenStream, behind block: Int, _ hidden: Tensor) {
    observe(stream, behind: block, ResidualStream(hidden))
  }
}
