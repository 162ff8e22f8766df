import FeatureCaching
import StrictJSON
import Tensors

/// The architecture of a HunyuanVideo transformer: the keys of diffusers' `HunyuanVideoTransformer3DModel`.
public struct HunyuanVideoConfiguration: Sendable, Hashable {
  /// Channels of the latents.
  public var inputChannels: Int
  public var outputChannels: Int
  /// Latents along a side of a token; in time a token has one.
  public var patchSize: Int
  public var doubleBlocks: Int
  public var singleBlocks: Int
  /// Blocks of the token refiner, which prepares the prompt.
  public var refinerBlocks: Int
  public var heads: Int
  public var headWidth: Int
  /// Inside of the MLPs.
  public var mlpWidth: Int
  /// The width of Llama's hidden states.
  public var textWidth: Int
  /// The width of CLIP's pooled vector.
  public var pooledWidth: Int
  /// Whether distilled guidance is an input.
  public var embedsGuidance: Bool
  /// How a head's dimensions are shared among frame, row and column.
  public var ropeAxes: [Int]
  /// The base of the rotary frequencies.
  public var ropeTheta: Double

  public var width: Int { heads * headWidth }
  public var blockCount: Int { doubleBlocks + singleBlocks }
  /// The numbers of a token at the input and at the output.
  public var tokenChannels: (input: Int, output: Int) {
    (inputChannels * patchSize * patchSize, outputChannels * patchSize * patchSize)
  }

  /// Reads the `config.json` of a folder `transformer`.
  ///
  /// - Throws: `FileError`, which names the file and the key, for a value that is missing, out of range or not supported.
  public init(_ configuration: PartConfiguration) throws {
    try configuration.require("_class_name", "HunyuanVideoTransformer3DModel")
    try configuration.require("patch_size_t", 1)
    try configuration.require("qk_norm", "rms_norm")
    guard !configuration.contains("image_condition_type") else {
      throw configuration.error(
        "image_condition_type", "is set, but only models that make videos of text are supported")
    }
    inputChannels = try configuration.integer("in_channels", default: 16, in: 1...4096)
    outputChannels = try configuration.integer("out_channels", default: 16, in: 1...4096)
    patchSize = try configuration.integer("patch_size", default: 2, in: 1...16)
    doubleBlocks = try configuration.integer("num_layers", default: 20, in: 0...1000)
    singleBlocks = try configuration.integer("num_single_layers", default: 40, in: 0...1000)
    refinerBlocks = try configuration.integer("num_refiner_layers", default: 2, in: 0...100)
    heads = try configuration.integer("num_attention_heads", default: 24, in: 1...1024)
    headWidth = try configuration.integer("attention_head_dim", default: 128, in: 2...1024)
    textWidth = try configuration.integer("text_embed_dim", default: 4096, in: 1...1 << 16)
    pooledWidth = try configuration.integer("pooled_projection_dim", default: 768, in: 1...1 << 16)
    embedsGuidance = try configuration.bool("guidance_embeds", default: true)
    ropeAxes = try configuration.integers("rope_axes_dim", default: [16, 56, 56], in: 0...1024)
    ropeTheta = try configuration.ropeTheta(default: 256)
    let ratio = try configuration.number("mlp_ratio", default: 4, in: 0...64)
    guard ropeAxes.count == 3, ropeAxes.allSatisfy({ $0 % 2 == 0 }), ropeAxes.reduce(0, +) == headWidth else {
      throw configuration.error(
        "rope_axes_dim", "must be three even numbers whose sum is attention_head_dim, \(headWidth)")
    }
    // Beyond, sizes of long videos would not fit 64 bits any more; the released model has 3072.
    guard heads * headWidth <= 1 << 14 else {
      throw configuration.error(
        "num_attention_heads", "times attention_head_dim is \(heads * headWidth), more than \(1 << 14)")
    }
    guard Int(Double(heads * headWidth) * ratio) > 0 else {
      throw configuration.error("mlp_ratio", "leaves the MLP without a width")
    }
    mlpWidth = Int(Double(heads * headWidth) * ratio)
    guard blockCount > 0 else { throw configuration.error("num_layers", "and num_single_layers are both 0") }
  }

  public var layout: BlockLayout { BlockLayout(blocks: blockCount, splitBlocks: doubleBlocks) }

  /// All residual branches at a size, with the costs of each, in the order of evaluation.
  public func branches(videoTokens: Int, textTokens: Int) -> [BranchShape] {
    let tokens = videoTokens + textTokens
    // Operations a token: q, k, v and the projection 4 width², the MLP, each a multiplication and an addition.
    let attention = 8 * width * width + 4 * tokens * width
    let mlp = 4 * mlpWidth * width
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
        branch(block, .image, .attention, videoTokens, attention),
        branch(block, .image, .mlp, videoTokens, mlp, rows: mlp),
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

  /// Operations of a step outside of the branches: embedders of time and video, the refiner, modulation, output. A
  /// multiplication and an addition are two.
  public func operationsOutsideOfBranches(videoTokens: Int, textTokens: Int) -> Int {
    let modulation = (modulationOutputs + (refinerBlocks * 2 + 2) * width) * width
    let embedders = (256 + width) * width * (embedsGuidance ? 3 : 2)
    let tokens = videoTokens * (tokenChannels.input + tokenChannels.output) * width
    let refiner = refinerBlocks * textTokens * (4 * width * width + 2 * textTokens * width + 2 * mlpWidth * width)
    return 2 * (modulation + embedders + tokens + refiner)
  }

  /// Operations of a sample before its first step: the embedders of the prompt.
  public func operationsBeforeSteps(textTokens: Int) -> Int {
    2 * ((textTokens + 1) * textWidth + pooledWidth + 2 * width) * width
  }
}
