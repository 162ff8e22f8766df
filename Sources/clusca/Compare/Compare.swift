import ArgumentParser
import Files
import Media
import Rendering
import StrictJSON

/// `clusca compare`: how far two pictures lie apart, or two ways of caching.
struct Compare: AsyncParsableCommand, PictureCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compares two pictures, or two caching methods on a prompt: PSNR, SSIM, time.",
    discussion: """
      Takes two files, or a prompt that is rendered twice from the same noise, with the caching of --cache and with that of \
      --with-cache:

        clusca compare a.png b.png
        clusca compare --prompt "a fox" --cache none --with-cache clusca --with-cache-option interval=7

      Ends with status \(ExitStatus.differences.rawValue) if the pictures lie further apart than --min-psnr allows.
      """)

  @Argument(help: "The first picture, a PNG.", completion: .file(extensions: ["png"]))
  var first: String?

  @Argument(help: "The second picture, a PNG of the same size.", completion: .file(extensions: ["png"]))
  var second: String?

  @Option(help: ArgumentHelp("Write a picture of the differences.", valueName: "file"))
  var difference: String?

  @Option(help: ArgumentHelp("How much brighter the differences are in that picture.", valueName: "factor"))
  var amplify: Double = 10

  @Flag(help: "Replace files that exist, instead of taking the next free name.")
  var force = false

  @Option(help: ArgumentHelp("The least PSNR in decibels that is good enough.", valueName: "dB"))
  var minPsnr: Double?

  @Flag(help: "Print one JSON object.")
  var json = false

  @Flag(name: .shortAndLong, help: "Show no progress and no notes.")
  var quiet = false

  @OptionGroup(title: "Prompt")
  var promptOptions: ComparedPrompt

  @OptionGroup(title: "Caching of the first picture")
  var cacheOptions: CacheOptions

  @OptionGroup(title: "Caching of the second picture")
  var withCacheOptions: WithCacheOptions

  @OptionGroup(title: "Picture")
  var pictureOptions: PictureOptions

  @OptionGroup(title: "Model")
  var modelOptions: ModelOptions

  var negativePrompt: String? { promptOptions.negativePrompt }
  var secondPrompt: String? { promptOptions.secondPrompt }

  func validate() throws {
    guard amplify.isFinite, amplify > 0 else {
      throw ValidationError("--amplify \(amplify) is not a number above 0")
    }
    if let minPsnr, !minPsnr.isFinite { throw ValidationError("--min-psnr \(minPsnr) is not a number of decibels") }
    if promptOptions.prompt != nil || promptOptions.classLabel != nil {
      guard promptOptions.prompt == nil || promptOptions.classLabel == nil else {
        throw ValidationError("--prompt and --class-label exclude one another")
      }
      guard first == nil else { throw ValidationError("Files and --prompt or --class-label exclude one another") }
      guard pictureOptions.seed.count <= 1, pictureOptions.batchCount == 1 else {
        throw ValidationError("A comparison is of one picture: give one --seed and no --batch-count")
      }
      return
    }
    guard first != nil, second != nil else {
      throw ValidationError("Give two files to compare, or --prompt to compare caching methods")
    }
    guard !cacheOptions.isGiven, !withCacheOptions.isGiven, promptOptions.isEmpty, !pictureOptions.isGiven,
      !modelOptions.isGiven
    else {
      throw ValidationError("Options of prompt, caching, picture and model go with --prompt only, not with files")
    }
  }

  func run() async throws {
    // A typing error in the place of a result is said before any work.
    for place in [difference, promptOptions.output, promptOptions.withOutput] {
      if let place { try AtomicFile.check(place, ifExists: ifExists) }
    }
    if let entry = try promptOptions.entry() {
      try await compareCaches(entry)
    } else if let first, let second {
      try Interruption.endingAtOnce {
        let files = FileComparison(firstPath: first, secondPath: second)
        let pictures = try files.pictures()
        try report(pictures.first, pictures.second, rows: [], json: files.json, names: "\(first) and \(second)")
      }
    }
  }

  private func compareCaches(_ entry: PromptEntry) async throws {
    let modelName = modelOptions.model ?? DefaultModel(for: [entry], frames: pictureOptions.frames).name
    let model = try pictureOptions.scheduled(modelOptions.open(modelName))
    let base = try BaseSettings(self, model: model, modelName: modelName)
    var notes: [String] = []
    var first = try base.settings(entry, seed: try pictureOptions.seeds(entry, nil)[0].seed, notes: &notes)
    var second = first
    var uncached = model.cachePreset
    uncached.method = .none
    first.cache = try cacheOptions.settings(
      cacheOptions.cache == nil ? uncached : model.cachePreset, family: model.cachePreset)
    second.cache = try withCacheOptions.settings(family: model.cachePreset)
    if !quiet { for note in notes { StandardError.write("clusca: \(note)") } }
    let caches = try await CacheComparison(
      (first, second), places: (promptOptions.output, promptOptions.withOutput), ifExists: ifExists, model: model,
      isQuiet: quiet)
    try report(
      caches.first.picture, caches.second.picture, rows: caches.rows, json: caches.json, names: "The two pictures")
  }

  /// - Parameters:
  ///   - rows: what is said before the distance.
  ///   - json: what says which pictures they are.
  ///   - names: what the sentence about too large a distance begins with.
  private func report(
    _ first: Picture, _ second: Picture, rows: [(label: String, value: String)], json names: JSONObject,
    names subject: String
  ) throws {
    var comparison = try PictureComparison(first, second)
    if let difference { try comparison.writeDifference(to: difference, amplifiedBy: amplify, ifExists: ifExists) }
    if json {
      var json = names
      comparison.describe(in: &json)
      try StandardOutput.write(JSONValue.object(json).text(pretty: true))
    } else {
      try StandardOutput.write(Table.lines(rows + comparison.rows).joined(separator: "\n"))
    }
    if let minPsnr, comparison.peakSignalToNoiseRatio < minPsnr {
      throw CommandFailure(
        .differences,
        "\(subject) lie apart by a PSNR of "
          + "\(DecimalText.fixed(comparison.peakSignalToNoiseRatio, digits: 2)) dB, less than --min-psnr \(minPsnr).")
    }
  }

  private var ifExists: AtomicFile.ExistingFile { force ? .overwrite : .number }
}
