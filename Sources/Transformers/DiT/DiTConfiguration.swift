import FeatureCaching
import StrictJSON
import Tensors

/// The architecture of a DiT: the keys of diffusers' `DiTTransformer2DModel`, or of the older `Transformer2DModel`, which
/// the checkpoints of Meta name.
public struct DiTConfiguration: Sendable, Hashable {
  /// Channels of the latents.
  public var inputChannels: Int
  /// As many, or twice as many where the model also estimates the variance of its noise.
  public var outputChannels: Int
  public var blockCount: Int
  public var heads: Int
  public var headWidth: Int
  /// The classes of the training; the label behind the last stands for none.
  public var classes: Int
  /// Latents along a side of the picture; the positions are made for this size.
  public var sampleSize: Int
  /// Latents along a side of a token.
  public var patchSize: Int
  /// Of the norm before the MLP; all others have 10⁻⁶.
  public var mlpNormEpsilon: Float
  /// Whether queries, keys and values have a bias.
  public var hasAttentionBias: Bool

  public var width: Int { heads * headWidth }
  /// The tokens of a picture.
  public var grid: TokenGrid { TokenGrid(rows: sampleSize / patchSize, columns: sampleSize / patchSize) }

  private static let classNames = ["DiTTransformer2DModel", "Transformer2DModel"]

  /// Reads the `config.json` of a folder `transformer`.
  ///
  /// - Throws: `FileError`, which names the file and the key, for a value that is missing, out of range or not supported.
  public init(_ configuration: PartConfiguration) throws {
    let className = try configuration.string("_class_name", default: Self.classNames[0])
    guard Self.classNames.contains(className) else {
      throw configuration.error(
        "_class_name", "is \(className), but only \(Self.classNames.joined(separator: " and ")) are supported")
    }
    for (key, expected) in [
      ("norm_type", "ada_norm_zero"), ("activation_fn", "gelu-approximate"), ("norm_elementwise_affine", false),
      ("only_cross_attention", false), ("double_self_attention", false),
    ] as [(String, JSONValue)] {
      try configuration.require(key, expected)
    }
    for key in ["cross_attention_dim", "num_vector_embeds", "caption_channels"] where configuration.contains(key) {
      throw configuration.error(key, "is set, but only models for classes are supported")
    }
    inputChannels = try configuration.integer("in_channels", default: 4, in: 1...4096)
    outputChannels = try configuration.integer("out_channels", default: inputChannels, in: 1...8192)
    guard outputChannels == inputChannels || outputChannels == 2 * inputChannels else {
      throw configuration.error("out_channels", "is neither in_channels, \(inputChannels), nor twice as many")
    }
    blockCount = try configuration.integer("num_layers", default: 28, in: 1...1000)
    heads = try configuration.integer("num_attention_heads", default: 16, in: 1...1024)
    headWidth = try configuration.integer("attention_head_dim", default: 72, in: 1...1024)
    classes = try configuration.integer("num_embeds_ada_norm", default: 1000, in: 1...1 << 20)
    sampleSize = try configuration.integer("sample_size", default: 32, in: 1...2048)
    patchSize = try configuration.integer("patch_size", default: 2, in: 1...16)
    mlpNormEpsilon = try configuration.epsilon("norm_eps", default: 1e-5)
    hasAttentionBias = try configuration.bool("attention_bias", default: className == Self.classNames[0])
    guard sampleSize % patchSize == 0 else {
      throw configuration.error("sample_size", "is \(sampleSize), no multiple of patch_size, \(patchSize)")
    }
    guard width <= 1 << 14, width % 4 == 0 else {
      throw configuration.error(
        "num_attention_heads", "times attention_head_dim is \(width), no multiple of 4 up to \(1 << 14)")
    }
    guard mlpNormEpsilon > 0 else { throw configuration.error("norm_eps", "is not positive") }
  }

  /// All blocks have attention and MLP as branches of their own.
  public var layout: BlockLayout { BlockLayout(blocks: blockCount, splitBlocks: blockCount) }

  /// All residual branches, with the costs of each, in the order of evaluation.
  public var branches: [BranchShape] {
    let tokens = grid.tokens
    // Operations a token: q, k, v and the projection 4 width², the MLP 8 width², each a multiplication and an addition.
    let attention = 8 * width * width + 4 * tokens * width
    let mlp = 16 * width * width
    func branch(_ block: Int, _ part: Branch.Part, _ cost: Int) -> BranchShape {
      BranchShape(
        branch: Branch(block, .image, part), tokens: tokens, width: width, operations: tokens * cost,
        rowOperations: part == .mlp ? tokens * cost : 0, layout: layout)
    }
    return (0..<blockCount).flatMap { [branch($0, .attention, attention), branch($0, .mlp, mlp)] }
  }

  /// The numbers that modulate a block at a step.
  func modulationOutputs(ofBlock block: Int) -> Int { 6 * width }

  /// The numbers that modulate all blocks at a step.
  public var modulationOutputs: Int { (0..<blockCount).reduce(0) { $0 + modulationOutputs(ofBlock: $1) } }

  /// Operations of a step outside of the branches: embedders, modulation, output. A multiplication and an addition are
  /// two.
  public var operationsOutsideOfBranches: Int {
    let modulation = (modulationOutputs + 2 * width) * width
    let embedder = (256 + width) * width
    let tokens = grid.tokens * (inputChannels + outputChannels) * patchSize * patchSize * width
    return 2 * (modulation + embedder + tokens)
  }
}
