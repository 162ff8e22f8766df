import Autoencoders
import Tensors

/// One picture to render.
public struct RenderRequest: Sendable, Hashable {
  public var prompt: PromptText
  /// What to stay away from; counts only if ``cfgScale`` is above 1.
  public var negativePrompt: PromptText
  /// Width and height in pixels, multiples of what the model can make.
  public var width: Int
  public var height: Int
  public var steps: Int
  /// The scale of distilled guidance, for models that take it.
  public var guidance: Double
  /// The scale of classifier-free guidance; up to 1 there is none, and no second sample to compute.
  public var cfgScale: Double
  public var seed: UInt64
  /// The text tokens that the transformer sees.
  public var textTokens: Int
  public var cache: CacheSettings
  /// What the noise is drawn in: diffusers draws it in the type of the prompt's embeddings.
  public var noiseFormat: NoiseFormat
  public var noise: TorchNoise
  public var tiling: Tiling

  public static let maximumSide = 1 << 14
  public static let maximumSteps = 10_000
  public static let maximumTextTokens = 4096

  public init(
    prompt: PromptText, negativePrompt: PromptText = PromptText(""), width: Int, height: Int, steps: Int,
    guidance: Double, cfgScale: Double, seed: UInt64, textTokens: Int, cache: CacheSettings,
    noiseFormat: NoiseFormat = .float32, noise: TorchNoise = .current,
    tiling: Tiling = .automatic
  ) {
    self.prompt = prompt
    self.negativePrompt = negativePrompt
    self.width = width
    self.height = height
    self.steps = steps
    self.guidance = guidance
    self.cfgScale = cfgScale
    self.seed = seed
    self.textTokens = textTokens
    self.cache = cache
    self.noiseFormat = noiseFormat
    self.noise = noise
    self.tiling = tiling
  }

  /// The samples of a step: the picture's, and under classifier-free guidance that of the negative prompt.
  public var rows: Int { isGuided ? 2 : 1 }
  public var isGuided: Bool { cfgScale > 1 }
}
