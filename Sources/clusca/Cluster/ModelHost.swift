import Rendering
import Tensors

/// What a coordinator itself computes with a model, whatever its scheduler: prompts and pixels. Loaded when it is first needed, and kept.
actor ModelHost {
  private var encoders: [Precision: any SubjectEncoder] = [:]
  private var decoders: [Precision: any LatentDecoder] = [:]

  /// A session for one picture, whose prompt is encoded here and now.
  func session(_ settings: PictureSettings, _ model: any RenderModel) throws -> RenderSession {
    let precision = settings.precision
    let encoder = try encoders[precision] ?? model.loadEncoder(precision)
    encoders[precision] = encoder
    let decoder = try decoders[precision] ?? model.loadDecoder(precision)
    decoders[precision] = decoder
    return try RenderSession(model, [settings.request], encoder: encoder, decoder: decoder)
  }
}
