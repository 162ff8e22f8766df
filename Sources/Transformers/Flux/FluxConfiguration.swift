import FeatureCaching
import Tensors

/// The architecture of a FLUX transformer: the keys of diffusers' `FluxTransformer2DModel`.
public struct FluxConfiguration: Sendable, Hashable {
  /// Channels of an image token: four times the autoencoder's, for a patch of 2 × 2.
  public var inputChannels: Int
  public var outputChannels: Int
  public var doubleBlocks: Int
  public var singleBlocks: Int
  public var heads: Int
  public var headWidth: Int
  /// The width of T5's hidden states.
  public var textWidth: Int
  /// The width of CLIP's pooled vector.
  public var pooledWidth: Int
  /// Whether distilled guidance is an input (FLUX.1-dev) or not (schnell).
  public var embedsGuidance: Bool
  /// How a head's dimensions are shared among index, row and column.
  public var ropeAxes: [Int]

  public var width: Int { heads * headWidth }
  public var blockCount: Int { doubleBlocks + singleBlocks }

  public init(
    inputChannels: Int, outputChannels: Int, doubleBlocks: Int, singleBlocks: Int, heads: Int, headWidth: Int,
    textWidth: Int, pooledWidth: Int, embedsGuidance: Bool, ropeAxes: [Int]
  ) {
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.doubleBlocks = doubleBlocks
    self.singleBlocks = singleBlocks
    self.heads = heads
    self.headWidth = headWidth
    self.textWidth = textWidth
    self.pooledWidth = pooledWidth
    self.embedsGuidance = embedsGuidance
    self.ropeAxes = ropeAxes
  }

  /// Reads the `config.json` of a folder `transformer`.
  ///
  /// - Throws: `FileError`, which names the file and the key, for a value that is missing, out of range or not supported.
  public init(_ configuration: PartConfiguration) throws {
    try configuration.require("_class_name", "FluxTransformer2DModel")
    try configuration.require("patch_size", 1)
    inputChannels = try configuration.integer("in_channels", default: 64, in: 4...4096)
    outputChannels = try configuration.integer("out_channels", default: inputChannels, in: 4...4096)
    doubleBlocks = try configuration.integer("num_layers", default: 19, in: 0...1000)
    singleBlocks = try configuration.integer("num_single_layers", default: 38, in: 0...1000)
    heads = try configuration.integer("num_attention_heads", default: 24, in: 1...1024)
    headWidth = try configuration.integer("attention_head_dim", default: 128, in: 2...1024)
    textWidth = try configuration.integer("joint_attention_dim", default: 4096, in: 1...1 << 16)
    pooledWidth = try configuration.integer("pooled_projection_dim", default: 768, in: 1...1 << 16)
    embedsGuidance = try configuration.bool("guidance_embeds", default: false)
    ropeAxes = try configuration.integers("axes_dims_rope", default: [16, 56, 56], in: 0...1024)
    guard ropeAxes.count == 3, ropeAxes.allSatisfy({ $0 % 2 == 0 }), ropeAxes.reduce(0, +) == headWidth else {
      throw configuration.error(
        "axes_dims_rope", "must be three even numbers whose sum is attention_head_dim, \(headWidth)")
    }
    // Beyond, sizes of large pictures would not fit 64 bits any more; the largest released models have some 6000.
    guard width <= 1 << 14 else {
      throw configuration.error("num_attention_heads", "times attention_head_dim is \(width), more than \(1 << 14)")
    }
    guard blockCount > 0 else { throw configuration.error("num_layers", "and num_single_layers are both 0") }
  }

  public var layout: BlockLayout { BlockLayout(blocks: blockCount, splitBlocks: doubleBlocks) }

  /// All residual branches at a size, with the costs of each, in the order of evaluation.
  public func branches(imageTokens: Int, textTokens: Int) -> [BranchShape] {
    let tokens = imageTokens + textTokens
    // Operations a token: q, k, v and the projection 4 width², the MLP 8 width², each a multiplication and an addition.
    let attention = 8 * width * width + 4 * tokens * width
    let mlp = 16 * width * width
    // With its block of one stream, an MLP takes the product of the attention with the common output along.
    func branch(
      _ block: Int, _ stream: TokenStream, _ part: Branch.Part, _ tokens: Int, _ cost: Int, rows: Int = 0
    ) -> BranchShape {
      BranchShape(
        branch: Branch(block, stream, part), tokens: tokens, width: width, operations: tokens * cost,
        rowOperations: tokens * rows, layout: layout)
    }
    let double = (0..<doubleBlocks).flatMap { block in
      [
        branch(block, .image, .attention, imageTokens, attention),
        branch(block, .image, .mlp, imageTokens, mlp, rows: mlp),
        branch(block, .text, .attention, textTokens, attention),
        branch(block, .text, .mlp, textTokens, mlp, rows: mlp),
      ]
    }
    return double
      + (doubleBlocks..<blockCount).map {
        branch($0, .joint, .whole, tokens, attention + mlp, rows: mlp + 2 * width * width)
      }
  }

  /// The numbers that modulate a block at a step.
  func modulationOutputs(ofBlock block: Int) -> Int { block < doubleBlocks ? 12 * width : 3 * width }

  /// The numbers that modulate all blocks at a step.
  public var modulationOutputs: Int { (0..<blockCount).reduce(0) { $0 + modulationOutputs(ofBlock: $1) } }

  /// Operations of a step outside of the branches: embedders of time and picture, modulation, output. A multiplication
  /// and an addition are two.
  public func operationsOutsideOfBranches(imageTokens: Int) -> Int {
    let modulation = (modulationOutputs + 2 * width) * width
    let embedders = (256 + width) * width * (embedsGuidance ? 2 : 1)
    let tokens = imageTokens * (inputChannels + outputChannels) * width
    return 2 * (modulation + embedders + tokens)
  }

  /// Operations of a sample before its first step: the embedders of the prompt.
  public func operationsBeforeSteps(textTokens: Int) -> Int {
    2 * (textTokens * textWidth + pooledWidth + width) * width
  }
}
