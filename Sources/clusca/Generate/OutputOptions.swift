import ArgumentParser

/// Where pictures go and what is said.
struct OutputOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where the pictures go: %d or %04d stands for the index, %s for the seed. A name that is taken gets a number. Of "
        + "several frames a name that ends in .mp4 or .webp makes a video (by ffmpeg), and one such as frame-%04d.png a "
        + "picture of each, with its number for %04d. clusca.png or clusca.mp4 unless given.",
      valueName: "pattern"))
  var output: String?

  @Flag(help: "Replace files that exist.")
  var force = false

  @Flag(help: "Write no settings into the pictures.")
  var noMetadata = false

  @Option(
    help: ArgumentHelp(
      "Write the digests of every step, of the pixels and of the files to this file, for clusca check.",
      valueName: "file"))
  var manifest: String?

  @Flag(help: "Print a JSON object for each picture.")
  var json = false

  @Flag(name: .shortAndLong, help: "Show no progress and no notes.")
  var quiet = false
}

/// How a picture is shown while it comes about.
struct PreviewOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Write the picture, or the first frame of a video, as it is so far to this file, step by step.", valueName: "file"
    ))
  var preview: String?

  @Option(help: ArgumentHelp("Write the preview every so many steps.", valueName: "count"))
  var previewInterval = 1

  func validate() throws {
    guard previewInterval >= 1 else { throw ValidationError("--preview-interval \(previewInterval) is not 1 or more") }
  }
}
