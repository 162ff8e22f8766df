public import StrictJSON

/// What a picture says about how it was made: `parameters` for other programs and people, `clusca` for an exact repeat.
public struct PictureMetadata: Sendable, Equatable {
  /// The key under which A1111, Forge, stable-diffusion.cpp and the galleries look for settings.
  public static let parametersKey = "parameters"
  /// The key of our own JSON, which holds everything, exactly.
  public static let cluscaKey = "clusca"

  public var parameters: GenerationParameters?
  public var clusca: JSONValue?

  public init(parameters: GenerationParameters? = nil, clusca: JSONValue? = nil) {
    self.parameters = parameters
    self.clusca = clusca
  }

  /// The entries for `PNG.encode`.
  public func texts() throws(MediaError) -> [PNGText] {
    var texts: [PNGText] = []
    if let parameters { texts.append(PNGText(key: PictureMetadata.parametersKey, text: try parameters.text())) }
    if let clusca {
      // A control character within a JSON document stands in a string, where `\u0085` means the same.
      texts.append(PNGText(key: PictureMetadata.cluscaKey, text: clusca.text().withControlsEscaped()))
    }
    return texts
  }

  /// Reads the entries of `PNG.texts`. The first of equal keys counts, other keys are left alone; `clusca` that is not
  /// a JSON document of at most `limits` is an error.
  public init(texts: [PNGText], limits: JSONLimits = JSONLimits(maximumBytes: 1 << 20)) throws(MediaError) {
    if let text = texts.first(where: { $0.key == PictureMetadata.parametersKey }) {
      parameters = GenerationParameters(parsing: text.text)
    }
    if let text = texts.first(where: { $0.key == PictureMetadata.cluscaKey }) {
      do {
        clusca = try JSONValue(parsing: text.text, limits: limits)
      } catch {
        throw .unreadablePNG("its text \"\(PictureMetadata.cluscaKey)\" is not valid JSON: \(error)")
      }
    }
  }

  /// Reads the texts of a PNG file.
  public init(png bytes: [UInt8], limits: PNGLimits = PNGLimits()) throws(MediaError) {
    try self.init(texts: try PNG.texts(in: bytes, limits: limits))
  }
}
