import Rendering

/// A command without options, for pictures whose settings are all known, or the model's own.
struct RepeatedCommand: PictureCommand {
  let negativePrompt: String? = nil
  let secondPrompt: String? = nil
  let pictureOptions: PictureOptions
  let modelOptions: ModelOptions
  let cacheOptions: CacheOptions

  init() throws {
    pictureOptions = try PictureOptions.parse([])
    modelOptions = try ModelOptions.parse([])
    cacheOptions = try CacheOptions.parse([])
  }

  func settings(
    _ repeated: RepeatedPicture, model: any RenderModel, modelName: String? = nil
  ) throws -> PictureSettings {
    var entry = PromptEntry()
    if repeated.isOfClass {
      entry.classLabel = try repeated.classLabel()
    } else {
      entry.prompt = try repeated.string("prompt") ?? ""
    }
    let base = try BaseSettings(
      self, model: model, modelName: modelName ?? repeated.string("model") ?? DefaultModel.prompts.name,
      repeated: repeated)
    var notes: [String] = []
    return try base.settings(entry, seed: try repeated.seed() ?? 0, notes: &notes)
  }
}
