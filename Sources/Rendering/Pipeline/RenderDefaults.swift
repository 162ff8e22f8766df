import Tensors

/// What is rendered where the user does not say: a checkpoint's own settings, or those of its family.
public struct RenderDefaults: Sendable, Hashable {
  /// Width and height in pixels.
  public var width: Int
  public var height: Int
  /// 1 for a picture.
  public var frames: Int
  /// Of a video: how many are shown in a second.
  public var framesPerSecond = 15.0
  public var steps: Int
  /// The scale of distilled guidance.
  public var guidance: Double
  /// The scale of classifier-free guidance; 1 is none.
  public var cfgScale: Double
  public var negativePrompt: String
  /// The text tokens that the transformer sees.
  public var textTokens: Int

  public init(
    width: Int, height: Int, frames: Int = 1, steps: Int, guidance: Double, cfgScale: Double = 1,
    negativePrompt: String = "", textTokens: Int
  ) {
    self.width = width
    self.height = height
    self.frames = frames
    self.steps = steps
    self.guidance = guidance
    self.cfgScale = cfgScale
    self.negativePrompt = negativePrompt
    self.textTokens = textTokens
  }

  /// Takes what `settings.json` says, under the names that diffusers' pipelines have for their arguments.
  ///
  /// - Parameter guidanceIsCFG: whether `guidance_scale` is the scale of classifier-free guidance, as for DiT.
  init(_ settings: PartConfiguration?, guidanceIsCFG: Bool = false, else defaults: RenderDefaults) throws {
    guard let settings else {
      self = defaults
      return
    }
    width = try settings.integer("width", default: defaults.width, in: 1...RenderRequest.maximumSide)
    height = try settings.integer("height", default: defaults.height, in: 1...RenderRequest.maximumSide)
    frames = try settings.integer(
      "num_frames", default: defaults.frames, in: 1...(defaults.frames == 1 ? 1 : RenderRequest.maximumFrames))
    framesPerSecond = try settings.number(
      "fps", default: defaults.framesPerSecond, in: 0.01...RenderRequest.maximumFramesPerSecond)
    steps = try settings.integer("num_inference_steps", default: defaults.steps, in: 1...RenderRequest.maximumSteps)
    let cfgKey = guidanceIsCFG ? "guidance_scale" : "true_cfg_scale"
    guidance = guidanceIsCFG ? 0 : try settings.number("guidance_scale", default: defaults.guidance, in: 0...1000)
    cfgScale = try settings.number(cfgKey, default: defaults.cfgScale, in: 0...1000)
    negativePrompt = try settings.string("negative_prompt", default: defaults.negativePrompt)
    textTokens = try settings.integer(
      "max_sequence_length", default: defaults.textTokens,
      in: min(1, defaults.textTokens)...RenderRequest.maximumTextTokens)
  }

  /// DiT: the defaults of diffusers' pipeline, and the one size that the model was made for.
  static func dit(side: Int) -> RenderDefaults {
    RenderDefaults(width: side, height: side, steps: 50, guidance: 0, cfgScale: 4, textTokens: 0)
  }

  /// HunyuanVideo: the example of its model card, since the pipeline's own 129 frames of 1280 × 720 are out of reach of
  /// most machines.
  static let hunyuanVideo = RenderDefaults(
    width: 512, height: 320, frames: 61, steps: 30, guidance: 6, textTokens: 256)

  /// FLUX.1-dev, or FLUX.1-schnell, which was distilled to four steps: settings of their model cards.
  static func flux(isDistilledToFewSteps: Bool) -> RenderDefaults {
    isDistilledToFewSteps
      ? RenderDefaults(width: 1024, height: 1024, steps: 4, guidance: 0, textTokens: 256)
      : RenderDefaults(width: 1024, height: 1024, steps: 50, guidance: 3.5, textTokens: 512)
  }
}
