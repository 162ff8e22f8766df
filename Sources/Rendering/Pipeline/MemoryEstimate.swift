import FeatureCaching
import Tensors
import Transformers

/// The memory that rendering takes, found out before anything is loaded. Weights that are used where they are mapped count
/// as well: without room for them every step would read them from the disk again. All numbers are bytes.
public struct MemoryEstimate: Sendable, Hashable {
  /// The encoders' weights; they are gone when the transformer is loaded.
  public var textEncoders: Int
  /// What encoding a prompt takes beside its weights.
  public var encoding: Int
  /// The transformer's weights. Narrower than float32, those of its modulation are not among them: they stay in their file.
  public var transformer: Int
  /// The decoder's weights.
  public var decoder: Int
  /// Features that are kept from step to step.
  public var cache: Int
  /// What modulates the blocks, of many steps.
  public var conditioning: Int
  /// What a step computes on its way.
  public var activations: Int
  /// What decoding takes beside its weights.
  public var decoding: Int
  /// Prompts as the transformer takes them.
  public var prompts: Int

  /// The program with its libraries and tokenizers, as measured.
  public static let programBytes = 32 << 20

  /// - Parameter requests: rendered one after the other.
  public init(_ model: any RenderModel, _ requests: [RenderRequest], precision: Precision) {
    let weights = model.weightBytes(precision)
    textEncoders = weights.textEncoders
    transformer = weights.transformer
    decoder = weights.decoder
    (encoding, cache, conditioning, activations, decoding, prompts) = (0, 0, 0, 0, 0, 0)
    var streamed = 0
    for request in requests {
      let grid = model.grid(request)
      let cost = model.cost(grid, textTokens: request.textTokens)
      let policy = request.cache.policy
      cache = max(cache, RunSummary(policy, kinds: [], rows: request.rows, cost: cost).cacheBytes)
      let width = cost.branches.map(\.width).max() ?? 0
      let tokens = grid.tokens + request.textTokens
      if precision != .float32 {
        streamed = max(streamed, cost.modulationOutputs * width * precision.weightBytes)
      }
      conditioning = max(
        conditioning, request.rows * Self.conditioningBytes(cost.modulationOutputs, steps: request.steps))
      activations = max(activations, ActivationBytes(cost.branches, tokens: tokens, precision).total)
      encoding = max(encoding, model.encodingBytes(textTokens: request.textTokens))
      decoding = max(decoding, model.decodingBytes(grid, request.tiling))
      prompts += request.rows * request.textTokens * width * 2 * MemoryLayout<Float>.stride
    }
    transformer -= min(transformer, streamed)
  }

  /// What a sample keeps of so many numbers a step that modulate blocks.
  public static func conditioningBytes(_ outputs: Int, steps: Int) -> Int {
    min(steps, Conditioning.stepsAtOnce) * outputs * MemoryLayout<Float>.stride
  }

  /// What is needed if only the first blocks stay in memory, and of the others two at a time are there.
  ///
  /// - Parameter blockBytes: of the weights of each block.
  public func keeping(_ residentBlocks: Int, of blockBytes: [Int]) -> MemoryEstimate {
    let others = blockBytes[residentBlocks...]
    let all = others.reduce(0, +)
    var estimate = self
    estimate.transformer -= min(transformer, all - min(all, 2 * (others.max() ?? 0)))
    return estimate
  }

  /// The most blocks that can stay in so many bytes of memory; nil if not even none leaves room for the rest.
  public func residentBlocks(of blockBytes: [Int], available: Int) -> Int? {
    blockBytes.indices.last { keeping($0, of: blockBytes).peak <= available }
  }

  /// What the rest leaves of so many bytes for the transformer's weights.
  public func leftForTransformer(available: Int) -> Int {
    var rest = self
    rest.transformer = 0
    return max(0, available - rest.peak)
  }

  /// The most that is needed at a time.
  public var peak: Int {
    Self.programBytes + prompts
      + max(textEncoders + encoding, transformer + decoder + cache + conditioning + max(activations, decoding))
  }
}
