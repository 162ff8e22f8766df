import Autoencoders
import FeatureCaching
import Tensors
import Transformers

/// What the pipeline knows of a model: one type a family, opened from a checkpoint and loaded part by part, since text
/// encoder, transformer and decoder are not needed at the same time.
public protocol RenderModel: Sendable {
  /// The family, such as "flux".
  var family: String { get }
  /// The folder or file of the checkpoint.
  var path: String { get }
  var defaults: RenderDefaults { get }
  /// Width and height of a picture are multiples of this.
  var sizeMultiple: Int { get }
  /// The caching that the ClusCa authors found best for the family.
  var cachePreset: CacheSettings { get }
  /// Whether distilled guidance is an input.
  var takesGuidance: Bool { get }

  /// Reads the text encoders' weights and tokenizers.
  ///
  /// - Throws: what is wrong with the checkpoint, in one sentence, as do the other two.
  func loadPromptEncoder(_ precision: Precision) throws -> any PromptEncoder
  /// Reads the weights of some blocks; of all if `blocks` is nil.
  func loadTransformer(_ precision: Precision, blocks: BlockRange?) throws -> any DiffusionTransformer
  /// Reads the weights of what makes pixels of latents.
  func loadDecoder(_ precision: Precision) throws -> any LatentDecoder

  /// The tokens of a picture of a size that ``sizeMultiple`` divides.
  func grid(width: Int, height: Int) -> TokenGrid
  /// The noise to begin with, `[tokens, channels]`, as diffusers draws it for one picture.
  func noise(_ grid: TokenGrid, _ generator: inout TorchGenerator, _ format: NoiseFormat) -> Tensor
  /// The noise levels of a run; some schedules depend on the size.
  func schedule(steps: Int, grid: TokenGrid) -> FlowMatchEuler.Schedule
  /// What one sample costs.
  func cost(_ grid: TokenGrid, textTokens: Int) -> StepCost
  /// The bytes of weights, by part, as they will be held.
  func weightBytes(_ precision: Precision) -> WeightBytes
  /// The bytes that encoding a prompt takes beside the weights.
  func encodingBytes(textTokens: Int) -> Int
  /// The bytes that decoding a picture takes beside the weights.
  func decodingBytes(_ grid: TokenGrid, _ tiling: Tiling) -> Int
}

/// A text as the user wrote it; some families have a second one for their second encoder.
public struct PromptText: Sendable, Hashable {
  public var text: String
  public var secondText: String?

  public init(_ text: String, second: String? = nil) {
    self.text = text
    secondText = second
  }
}

/// A prompt as the transformer takes it.
public struct EncodedPrompt: Sendable {
  /// `[tokens, width]`
  public var text: Tensor
  /// `[width]`
  public var pooled: Tensor
  /// How many tokens were too many and had no effect.
  public var cutTokens: Int

  public init(text: Tensor, pooled: Tensor, cutTokens: Int) {
    self.text = text
    self.pooled = pooled
    self.cutTokens = cutTokens
  }
}

/// Makes of a prompt what the transformer takes.
public protocol PromptEncoder: Sendable {
  /// - Parameter maximumTokens: the text tokens that the transformer sees; shorter prompts are padded.
  func encode(_ prompt: PromptText, maximumTokens: Int) throws -> EncodedPrompt
}

/// Makes pixels of latents.
public protocol LatentDecoder: Sendable {
  /// Latents as the transformer has them, `[tokens, channels]` → `[height, width, 3]` in 0...1.
  func decode(_ latents: Tensor, _ grid: TokenGrid, _ tiling: Tiling) throws -> Tensor
}

/// The floating-point operations of one sample; a multiplication and an addition are two.
public struct StepCost: Sendable {
  /// Those of a full step that caching can save.
  public var branches: [BranchShape]
  /// Those of every step: embedders, modulation, output.
  public var outsideOfBranches: Int
  /// Those before the first step.
  public var beforeSteps: Int

  public init(branches: [BranchShape], outsideOfBranches: Int, beforeSteps: Int) {
    self.branches = branches
    self.outsideOfBranches = outsideOfBranches
    self.beforeSteps = beforeSteps
  }
}

/// The bytes of a model's weights, by part.
public struct WeightBytes: Sendable {
  public var textEncoders: Int
  public var transformer: Int
  public var decoder: Int

  public init(textEncoders: Int, transformer: Int, decoder: Int) {
    self.textEncoders = textEncoders
    self.transformer = transformer
    self.decoder = decoder
  }
}
