import Conditioning
import Files
import Media
import Rendering
import StrictJSON
import Tensors

/// The pictures of a command, each with all of its settings and its place, looked through before anything is loaded.
struct PicturePlan {
  struct Picture {
    var settings: PictureSettings
    var destination: PictureDestination
    var path: String { destination.path }
    /// Whether any seed would do, so that a picture of another is not rendered again.
    var hasRandomSeed = false

    /// What a picture that is there already must have been made with.
    var wantedSettings: JSONObject {
      var json = settings.json
      if hasRandomSeed { json["seed"] = nil }
      return json
    }
  }

  /// More are a mistake, and their settings alone would fill the memory.
  private static let maximumCount = 1_000_000

  /// Those that are to be rendered.
  var pictures: [Picture] = []
  /// Those of a prompts file that are there already.
  var donePaths: [String] = []
  /// What the user should know, such as sizes that were rounded down.
  var notes: [String] = []

  init(
    _ entries: [PromptEntry], of command: Generate, model: any RenderModel, modelName: String,
    repeated: RepeatedPicture?
  ) throws {
    let base = try BaseSettings(command, model: model, modelName: modelName, repeated: repeated)
    let isList = command.promptOptions.promptsFile != nil
    var all: [Picture] = []
    var index = 0
    for entry in entries {
      let seeds = try command.pictureOptions.seeds(entry, repeated)
      let pattern = try Self.pattern(entry, command, frames: base.frames ?? 1)
      guard all.count + seeds.count <= Self.maximumCount else {
        throw CommandFailure(
          .usage, "This would be more than \(Self.maximumCount) pictures; render them in several runs.")
      }
      for (seed, isRandom) in seeds {
        let settings = try base.settings(entry, seed: seed, notes: &notes)
        let destination = try PictureDestination(pattern, frames: base.frames ?? 1, index: index, seed: seed)
        all.append(Picture(settings: settings, destination: destination, hasRandomSeed: isRandom))
        index += 1
      }
    }
    try Self.tellApart(&all)
    for picture in all {
      if isList, !command.outputOptions.force {
        switch PictureAtPath(path: picture.destination.lastPath, settings: picture.wantedSettings) {
        case .same:
          donePaths.append(picture.path)
          continue
        case .missing: break
        case .other(let reason):
          throw CommandFailure(
            .output, "\(reason) Give another --output, or --force to replace it.")
        }
      }
      pictures.append(picture)
    }
    let ifExists: AtomicFile.ExistingFile = command.outputOptions.force ? .overwrite : .number
    for folder in Set(pictures.map { Self.folder($0.path) }) {
      guard let picture = pictures.first(where: { Self.folder($0.path) == folder }) else { continue }
      try AtomicFile.check(picture.path, ifExists: ifExists, createFolders: true)
    }
    try checkDestinations(force: command.outputOptions.force)
    if let manifest = command.outputOptions.manifest {
      try AtomicFile.check(
        manifest, ifExists: command.outputOptions.force ? .overwrite : .refuse, createFolders: true)
    }
    if let preview = command.previewOptions.preview {
      try AtomicFile.check(preview, ifExists: .overwrite, createFolders: true)
    }
  }

  private static func folder(_ path: String) -> Substring { path[..<(path.lastIndex(of: "/") ?? path.startIndex)] }

  /// Encodes nothing twice: one of all videos of a kind and size stands for them.
  private func checkDestinations(force: Bool) throws {
    var seen: Set<[String]> = []
    for picture in pictures {
      if case .video(_, let format) = picture.destination {
        let settings = picture.settings
        guard seen.insert([format.rawValue, "\(settings.width)", "\(settings.height)"]).inserted else { continue }
      }
      try picture.destination.check(
        width: picture.settings.width, height: picture.settings.height, rate: picture.settings.framesPerSecond,
        force: force)
    }
  }

  /// Gives pictures of one name numbers: `x.png`, `x-1.png`, … Frames have their own already.
  private static func tellApart(_ pictures: inout [Picture]) throws {
    var taken = Set(pictures.map(\.path))
    var numbers: [String: Int] = [:]
    for index in pictures.indices {
      let path = pictures[index].path
      var number = numbers[path, default: 0]
      if number > 0 {
        if case .frames = pictures[index].destination {
          throw CommandFailure(
            .usage,
            "Several videos would have frames of the same names, such as \(path): put %s, which stands for the seed, into "
              + "--output, or render them one by one.")
        }
        while !taken.insert(NumberedPath.path(path, number: number)).inserted { number += 1 }
        pictures[index].destination = pictures[index].destination.renamed(NumberedPath.path(path, number: number))
      }
      numbers[path] = number + 1
    }
  }

  /// The place of an entry's pictures; a file's own `output` that is no pattern is told with its line.
  private static func pattern(_ entry: PromptEntry, _ command: Generate, frames: Int) throws -> OutputPattern {
    guard let output = entry.output else {
      return try OutputPattern(command.outputOptions.output ?? PictureDestination.defaultPattern(frames: frames))
    }
    do throws(MediaError) {
      return try OutputPattern(output)
    } catch {
      let file = command.promptOptions.promptsFile.map { $0 == "-" ? "standard input" : $0 } ?? ""
      throw CommandFailure(.input, "\(file), line \(entry.line): \(error)")
    }
  }
}

/// What all pictures of a command have in common: options, settings of a repeated picture and the model's defaults, in
/// that order.
struct BaseSettings {
  let command: any PictureCommand
  let model: any RenderModel
  let modelName: String
  let repeated: RepeatedPicture?
  let cache: CacheSettings
  /// Nil for a model of pictures.
  let frames: Int?
  private let framesPerSecond: Double

  init(
    _ command: any PictureCommand, model: any RenderModel, modelName: String, repeated: RepeatedPicture? = nil
  ) throws {
    self.command = command
    self.model = model
    self.modelName = modelName
    self.repeated = repeated
    let preset = model.cachePreset
    cache = try command.cacheOptions.settings(try repeated?.cache(preset) ?? preset, family: preset)
    frames = try Self.frames(command.pictureOptions, model, modelName, repeated)
    framesPerSecond =
      try command.pictureOptions.fps ?? repeated?.framesPerSecond() ?? model.defaults.framesPerSecond
    guard command.secondPrompt == nil || model.takesSecondPrompt || model.classLabels != nil else {
      throw CommandFailure(
        .usage, "--prompt-2 is for models such as FLUX, but \(modelName) gives both text encoders the same prompt.")
    }
  }

  private static func frames(
    _ options: PictureOptions, _ model: any RenderModel, _ modelName: String, _ repeated: RepeatedPicture?
  ) throws -> Int? {
    guard let perLatent = model.framesPerLatent else {
      guard options.frames ?? 1 == 1, options.fps == nil else {
        throw CommandFailure(
          .usage,
          "\(options.fps == nil ? "--frames" : "--fps") is for models of videos such as HunyuanVideo, but \(modelName) "
            + "makes pictures.")
      }
      return nil
    }
    let frames =
      try options.frames ?? repeated?.integer("frames", in: 1...RenderRequest.maximumFrames) ?? model.defaults.frames
    guard model.makes(frames: frames) else {
      throw CommandFailure(
        .usage,
        "--frames \(frames) cannot be made: \(modelName) makes 1, \(perLatent + 1), \(2 * perLatent + 1) and so on, a multiple "
          + "of \(perLatent) and one more.")
    }
    return frames
  }

  func settings(_ entry: PromptEntry, seed: UInt64, notes: inout [String]) throws -> PictureSettings {
    let (options, defaults) = (command.pictureOptions, model.defaults)
    let pictureClass = try pictureClass(entry)
    let sides = 1...RenderRequest.maximumSide
    let width = try entry.width ?? options.size?.width ?? options.width ?? repeated?.integer("width", in: sides)
    let height = try entry.height ?? options.size?.height ?? options.height ?? repeated?.integer("height", in: sides)
    let steps = try entry.steps ?? options.steps ?? repeated?.integer("steps", in: 1...RenderRequest.maximumSteps)
    let guidance = try entry.guidance ?? options.guidance ?? repeated?.number("guidance")
    if guidance != nil, entry.guidance ?? options.guidance != nil, !model.takesGuidance {
      Self.note("This model takes no distilled guidance: --guidance has no effect; see --cfg-scale.", &notes)
    }
    if let steps, steps > model.maximumSteps {
      throw CommandFailure(
        .usage, "\(steps) steps are more than the \(model.maximumSteps) that the model's scheduler has.")
    }
    if options.fps != nil, frames == 1 { Self.note("--fps has no effect on a picture of one frame.", &notes) }
    let cfgScale = try entry.cfgScale ?? options.cfgScale ?? repeated?.number("cfg_scale")
    let negative =
      try entry.negativePrompt ?? command.negativePrompt ?? repeated?.string("negative_prompt")
    // Leading away from no class has no effect on no class.
    let scale = cfgScale ?? (pictureClass.map { $0.label == nil } ?? false ? 1 : defaults.cfgScale)
    if scale <= 1, entry.negativePrompt ?? command.negativePrompt != nil {
      Self.note("A negative prompt has no effect without a --cfg-scale above 1.", &notes)
    }
    return PictureSettings(
      prompt: entry.prompt,
      secondPrompt: try command.secondPrompt.map { try PromptOptions.checked($0, "--prompt-2") }
        ?? (model.takesSecondPrompt ? repeated?.string("prompt_2") : nil),
      negativePrompt: negative ?? defaults.negativePrompt, pictureClass: pictureClass, seed: seed,
      width: try fitted(width ?? defaults.width, "width", &notes),
      height: try fitted(height ?? defaults.height, "height", &notes), frames: frames,
      framesPerSecond: framesPerSecond, steps: steps ?? defaults.steps,
      guidance: model.takesGuidance ? guidance ?? defaults.guidance : 0, cfgScale: scale,
      guidedChannels: try options.cfgChannels ?? repeated?.choice("cfg_channels", GuidedChannels.self) ?? .all,
      scheduler: model.scheduler, sampler: model.sampler,
      textTokens: try options.maxSequenceLength
        ?? repeated?.integer("max_sequence_length", in: 1...RenderRequest.maximumTextTokens) ?? defaults.textTokens,
      cache: cache, precision: try command.modelOptions.dtype ?? repeated?.precision() ?? .float32,
      noiseFormat: try (options.noiseDtype ?? repeated?.choice("noise_dtype", NoiseDtype.self) ?? .float32).format,
      noise: try (options.noiseCompat ?? repeated?.choice("noise_compat", NoiseCompat.self) ?? .torch).noise,
      tiling: try options.vaeTiling ?? repeated?.choice("vae_tiling", VAETiling.self) ?? .auto, model: modelName)
  }

  /// What an entry asks a model of classes for; nil for a model of prompts.
  ///
  /// - Throws: ``CommandFailure`` if it is for a model of the other kind.
  private func pictureClass(_ entry: PromptEntry) throws -> PictureClass? {
    guard let labels = model.classLabels else {
      guard entry.classLabel == nil, command.pictureOptions.cfgChannels == nil else {
        let option = entry.classLabel == nil ? "--cfg-channels" : "--class-label"
        throw CommandFailure(
          .usage, "\(option) is for models of classes such as DiT, but \(modelName) takes prompts: give --prompt.")
      }
      return nil
    }
    guard entry.prompt.isEmpty else {
      throw CommandFailure(
        .usage,
        "\(modelName) takes classes, not prompts: give --class-label with a number from 0 to \(labels.count - 1) or a name."
      )
    }
    let isForPrompts =
      entry.negativePrompt != nil || command.negativePrompt != nil || command.secondPrompt != nil
      || command.pictureOptions.maxSequenceLength != nil
    guard !isForPrompts else {
      throw CommandFailure(
        .usage,
        "--negative-prompt, --prompt-2 and --max-sequence-length are for models of prompts, but \(modelName) takes classes."
      )
    }
    guard let text = entry.classLabel else { return PictureClass(label: nil, name: "") }
    do {
      let label = try labels.label(text)
      return PictureClass(label: label, name: labels.name(of: label))
    } catch {
      throw CommandFailure(.usage, "--class-label: \(error).")
    }
  }

  /// A side rounded down to what the model can make.
  private func fitted(_ pixels: Int, _ side: String, _ notes: inout [String]) throws -> Int {
    let multiple = model.sizeMultiple
    guard !model.hasFixedSize || pixels == multiple else {
      throw CommandFailure(
        .usage,
        "A \(side) of \(pixels) cannot be made: this model's pictures are \(model.defaults.width) x "
          + "\(model.defaults.height) pixels.")
    }
    let fitted = pixels / multiple * multiple
    guard fitted > 0 else {
      throw CommandFailure(
        .usage, "A \(side) of \(pixels) is too small: this model makes pictures in multiples of \(multiple) pixels.")
    }
    if fitted != pixels {
      Self.note(
        "The \(side) of \(pixels) is rounded down to \(fitted), since this model makes multiples of \(multiple).",
        &notes)
    }
    return fitted
  }

  private static func note(_ note: String, _ notes: inout [String]) {
    if !notes.contains(note) { notes.append(note) }
  }
}
