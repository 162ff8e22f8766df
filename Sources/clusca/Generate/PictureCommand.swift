/// A command that renders pictures: the options that decide what they look like.
protocol PictureCommand {
  var negativePrompt: String? { get }
  /// For the second text encoder.
  var secondPrompt: String? { get }
  var pictureOptions: PictureOptions { get }
  var modelOptions: ModelOptions { get }
  var cacheOptions: CacheOptions { get }
}

extension Generate: PictureCommand {
  var negativePrompt: String? { promptOptions.negativePrompt }
  var secondPrompt: String? { promptOptions.secondPrompt }
}
