import Autoencoders
import Tensors

/// One picture or video to render.
public struct RenderRequest: Sendable, Hashable {
  public var subject: Subject
  /// What to stay away from; counts only if ``cfgScale`` is above 1.
  public var negative: Subject
  /// Width and height in pixels, multiples of what the model can make.
  public var width: Int
  public var height: Int
  /// 1 for a picture; see ``RenderModel/framesPerLatent``.
  public var frames: Int
  public var steps: Int
  /// The scale of distilled guidance, for models that take it.
  public var guidance: Double
  /// The scale of classifier-free guidance; up to 1 there is none, and no second sample to compute.
  public var cfgScale: Double
  public var guidedChannels: GuidedChannels
  public var seed: UInt64
  /// The text tokens that the transformer sees.
  public var textTokens: Int
  public var cache: CacheSettings
  /// What the noise is drawn in: diffusers draws it in the type of the prompt's embeddings.
  public var noiseFormat: NoiseFormat
  public var noise: TorchNoise
  public var tiling: Tiling

  public static let maximumSide = 1 << 14
  public static let maximumFrames = 1 << 12 | 1
  public static let maximumFramesPerSecond = 240.0
  public static let maximumSteps = 10_000
  public static let maximumTextTokens = 4096

  public init(
    subject: Subject, negative: Subject, width: Int, height: Int, frames: Int = 1, steps: Int, guidance: Double,
    cfgScale: Double, guidedChannels: GuidedChannels = .all, seed: UInt64, textTokens: Int, cache: CacheSettings,
    noiseFormat: NoiseFormat = .float32, noise: TorchNoise = .current,
    tiling: Tiling = .automatic
  ) {
    self.subject = subject
    self.negative = negative
    self.width = width
    self.height = height
    self.frames = frames
    self.steps = steps
    self.guidance = guidance
    self.cfgScale = cfgScale
    self.guidedChannels = guidedChannels
    self.seed = seed
    self.textTokens = textTokens
    self.cache = cache
    self.noiseFormat = noiseFormat
    self.noise = noise
    self.tiling = tiling
  }

  /// The samples of a step: the picture's, and under classifier-free guidance that of the negative subject.
  public var rows: Int { isGuided ? 2 : 1 }
  public var isGuided: Bool { cfgScale > 1 }
  /// What is to be encoded for it.
  public var subjects: [Subject] { isGuided ? [subject, negative] : [subject] }
}
