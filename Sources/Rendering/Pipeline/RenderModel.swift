import Autoencoders
import Conditioning
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
  /// The classes that a picture can be asked for by; nil for a model that takes prompts.
  var classLabels: ClassLabels? { get }
  /// Width and height of a picture are multiples of this.
  var sizeMultiple: Int { get }
  /// How many frames of a video a latent stands for, the first frame left out: videos have a multiple of it and one
  /// frame more. Nil for a model of pictures, which have one frame.
  var framesPerLatent: Int? { get }
  /// Whether pictures can have the default size only.
  var hasFixedSize: Bool { get }
  /// The most steps of a run.
  var maximumSteps: Int { get }
  /// The scheduler's name in other programs, such as "Euler".
  var sampler: String { get }
  /// Which scheduler it has; nil for a model that can have one only.
  var scheduler: SchedulerChoice? { get }
  /// The same model with another scheduler; nil if it can have one only.
  ///
  /// - Throws: `FileError` if the settings of its own do not suit the other.
  func with(_ scheduler: SchedulerChoice) throws -> (any RenderModel)?
  /// The caching that the ClusCa authors found best for the family.
  var cachePreset: CacheSettings { get }
  /// Whether distilled guidance is an input.
  var takesGuidance: Bool { get }
  /// Whether its second text encoder can have a prompt of its own.
  var takesSecondPrompt: Bool { get }

  /// Finds tensors of transformer and decoder that are missing or of another type or shape, without reading numbers.
  ///
  /// - Throws: what loading would throw for them.
  func checkTensors() throws
  /// Reads what makes of a subject what the transformer takes, such as text encoders and tokenizers.
  ///
  /// - Throws: what is wrong with the checkpoint, in one sentence, as do the other two.
  func loadEncoder(_ precision: Precision) throws -> any SubjectEncoder
  /// Reads the weights of some blocks; of all if `blocks` is nil.
  ///
  /// - Parameter packed: where matrices of that precision are that were packed before.
  func loadTransformer(
    _ precision: Precision, blocks: BlockRange?, packed: (any PackedMatrices)?
  ) throws -> any DiffusionTransformer
  /// The transformer as it would be loaded, with zeros for its numbers: it takes next to no time and memory and answers
  /// for the sizes of what it stands for.
  func transformerShapes(_ precision: Precision, blocks: BlockRange?) throws -> any DiffusionTransformer
  /// Whether the transformer's files hold float32, which is used where they are mapped.
  var isMappedFloat32: Bool { get }
  /// Reads the weights of what makes pixels of latents.
  func loadDecoder(_ precision: Precision) throws -> any LatentDecoder

  /// The tokens of a picture of a size that ``sizeMultiple`` divides, or of a video of such frames.
  func grid(width: Int, height: Int, frames: Int) -> TokenGrid
  /// Noise of the shape of the latents, `[tokens, channels]`, as diffusers draws it for one picture: to begin with for one
  /// row, and where a scheduler adds noise for all rows of a step at once, of which the first is the picture's.
  func noise(_ grid: TokenGrid, rows: Int, _ generator: inout TorchGenerator, _ format: NoiseFormat) -> Tensor
  /// The noise levels of a run of up to ``maximumSteps``; some schedules depend on the size.
  func schedule(steps: Int, grid: TokenGrid) -> any DenoisingSchedule
  /// How many columns of the output are guided; all if nil.
  func guidedColumns(_ channels: GuidedChannels) -> Int?
  /// What one sample costs.
  func cost(_ grid: TokenGrid, textTokens: Int) -> StepCost
  /// The bytes of weights, by part, as they will be held.
  func weightBytes(_ precision: Precision) -> WeightBytes
  /// The bytes that encoding a prompt takes beside the weights.
  func encodingBytes(textTokens: Int) -> Int
  /// The bytes that decoding a picture takes beside the weights.
  func decodingBytes(_ grid: TokenGrid, _ tiling: Tiling) -> Int
}

extension RenderModel {
  public var framesPerLatent: Int? { nil }
  public var takesSecondPrompt: Bool { classLabels == nil }

  public func loadTransformer(_ precision: Precision, blocks: BlockRange?) throws -> any DiffusionTransformer {
    try loadTransformer(precision, blocks: blocks, packed: nil)
  }

  /// The bytes of each block's weights that a full step needs.
  public func blockBytes(_ precision: Precision) throws -> [Int] {
    let shapes = try transformerShapes(precision, blocks: nil)
    return shapes.blocks.map { shapes.matrices(ofBlock: $0).reduce(0) { $0 + $1.byteCount } }
  }

  /// The tokens of what is asked for.
  public func grid(_ request: RenderRequest) -> TokenGrid {
    grid(width: request.width, height: request.height, frames: request.frames)
  }

  /// Whether it can make so many frames.
  public func makes(frames: Int) -> Bool {
    frames == 1 || framesPerLatent.map { frames > 0 && (frames - 1) % $0 == 0 } ?? false
  }
}

/// Makes pixels of latents.
public protocol LatentDecoder: Sendable {
  /// Latents as the transformer has them, `[tokens, channels]` → `[frames, height, width, 3]` in 0...1; a picture is one
  /// frame.
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
  /// The numbers of the model's output.
  public var outputElements: Int
  /// The tokens of the picture or video.
  public var imageTokens: Int
  /// The numbers that modulate all blocks at a step.
  public var modulationOutputs: Int

  public init(
    branches: [BranchShape], outsideOfBranches: Int, beforeSteps: Int, outputElements: Int, imageTokens: Int,
    modulationOutputs: Int
  ) {
    self.branches = branches
    self.outsideOfBranches = outsideOfBranches
    self.beforeSteps = beforeSteps
    self.outputElements = outputElements
    self.imageTokens = imageTokens
    self.modulationOutputs = modulationOutputs
  }

  /// The bytes of the picture's forecasts that are summed before the cached steps begin, for one sample.
  public func forecastBytes(_ policy: any FeatureCachePolicy) -> Int {
    guard let chain = policy.cutChain else { return 0 }
    return chain.mostCutSteps * imageTokens * (branches.first?.width ?? 0) * MemoryLayout<Float>.stride
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
