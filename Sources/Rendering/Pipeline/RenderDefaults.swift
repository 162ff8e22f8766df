import Tensors

/// What is rendered where the user does not say: a checkpoint's own settings, or those of its family.
public struct RenderDefaults: Sendable, Hashable {
  /// Width and height in pixels.
  public var width: Int
  public var height: Int
  public var steps: Int
  /// The scale of distilled guidance.
  public var guidance: Double
  /// The scale of classifier-free guidance; 1 is none.
  public var cfgScale: Double
  public var negativePrompt: String
  /// The text tokens that the transformer sees.
  public var textTokens: Int

  public init(
    width: Int, height: Int, steps: Int, guidance: Double, cfgScale: Double = 1, negativePrompt: String = "",
    textTokens: Int
  ) {
    self.width = width
    self.height = height
    self.steps = steps
    self.guidance = guidance
    self.cfgScale = cfgScale
    self.negativePrompt = negativePrompt
    self.textTokens = textTokens
  }

  /// Takes what `settings.json` says, under the names that diffusers' pipelines have for their arguments.
  init(_ settings: PartConfiguration?, else defaults: RenderDefaults) throws {
    guard let settings else {
      self = defaults
      return
    }
    width = try settings.integer("width", default: defaults.width, in: 1...RenderRequest.maximumSide)
    height = try settings.integer("height", default: defaults.height, in: 1...RenderRequest.maximumSide)
    steps = try settings.integer("num_inference_steps", default: defaults.steps, in: 1...RenderRequest.maximumSteps)
    guidance = try settings.number("guidance_scale", default: defaults.guidance)
    cfgScale = try settings.number("true_cfg_scale", default: defaults.cfgScale)
    for (key, scale) in [("guidance_scale", guidance), ("true_cfg_scale", cfgScale)] where !(0...1000).contains(scale) {
      throw settings.error(key, "is not a number from 0 to 1000")
    }
    negativePrompt = try settings.string("negative_prompt", default: defaults.negativePrompt)
    textTokens = try settings.integer(
      "max_sequence_length", default: defaults.textTokens, in: 1...RenderRequest.maximumTextTokens)
  }

  /// FLUX.1-dev, or FLUX.1-schnell, which was distilled to four steps: settings of their model cards.
  static func flux(isDistilledToFewSteps: Bool) -> RenderDefaults {
    isDistilledToFewSteps
      ? RenderDefaults(width: 1024, height: 1024, steps: 4, guidance: 0, textTokens: 256)
      : RenderDefaults(width: 1024, height: 1024, steps: 50, guidance: 3.5, textTokens: 512)
  }
}
