import ArgumentParser
import Media
import Rendering
import Tensors

/// `clusca generate`: prompts to pictures, in this process.
struct Generate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Renders pictures from prompts or classes, and videos from prompts.",
    discussion: """
      With --cache none, a seed gives the picture that it gives with diffusers in float32. Without --model a small \
      model that comes with clusca is used: default for prompts, default-dit for classes, default-hunyuan for prompts with \
      --frames. Width and height are rounded down to what the model can make. Ctrl-C stops within a block of the \
      transformer and leaves no half-written file.
      """)

  @OptionGroup(title: "Prompt")
  var promptOptions: PromptOptions

  @OptionGroup(title: "Picture")
  var pictureOptions: PictureOptions

  @OptionGroup(title: "Model")
  var modelOptions: ModelOptions

  @Option(
    help: ArgumentHelp(
      "The memory to use, such as 16GB; what is available unless given. Blocks whose packed weights (clusca pack), or "
        + "weights in float32, do not fit are read from the disk at each full step.", valueName: "bytes"))
  var memory: ByteAmount?

  @OptionGroup(title: "Caching")
  var cacheOptions: CacheOptions

  @OptionGroup(title: "Output")
  var outputOptions: OutputOptions

  @OptionGroup(title: "Previews")
  var previewOptions: PreviewOptions

  @OptionGroup(title: "Workers")
  var workersOptions: WorkersOptions

  func run() async throws {
    let repeated = try promptOptions.from.map { try RepeatedPicture($0) }
    let entries = try promptOptions.entries(repeated)
    let modelName =
      try modelOptions.model ?? repeated?.string("model")
      ?? DefaultModel(for: entries, frames: pictureOptions.frames).name
    let model = try pictureOptions.scheduled(modelOptions.open(modelName), repeated)
    let plan = try PicturePlan(entries, of: self, model: model, modelName: modelName, repeated: repeated)
    try await workersOptions.run(model, modelName, modelOptions, memory: memory?.bytes) { cluster in
      try await PictureRenderer(
        model: model, plan: plan, options: outputOptions, previews: previewOptions, parts: modelOptions.partPaths,
        cluster: cluster, memory: memory?.bytes
      ).run()
    }
  }
}

/// What the pictures shall show.
struct PromptOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("What the picture shall show; - reads it from the standard input.", valueName: "text"))
  var prompt: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "The class that the picture shall show, for models of classes (DiT): a number, or a name as the checkpoint has it. "
        + "May be given several times for several pictures.", valueName: "class"))
  var classLabel: [String] = []

  @Option(
    name: .customLong("prompt-2"),
    help: ArgumentHelp("Another prompt for the second text encoder (FLUX: T5).", valueName: "text"))
  var secondPrompt: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("What to stay away from; counts with a --cfg-scale above 1.", valueName: "text"))
  var negativePrompt: String?

  @Flag(help: "Render without a prompt or a class.")
  var unconditional = false

  @Option(
    help: ArgumentHelp(
      "Many prompts: .txt with one a line, or .csv or .jsonl with \(PromptKey.list). Pictures that are there already, with "
        + "the same settings, are not rendered again.", valueName: "file"),
    completion: .file(extensions: ["txt", "csv", "jsonl"]))
  var promptsFile: String?

  @Option(
    help: ArgumentHelp(
      "Render a picture or an MP4 of clusca again; other options change what they name.", valueName: "picture"),
    completion: .file(extensions: ["png", "mp4"]))
  var from: String?

  func validate() throws {
    let sources = [prompt != nil, !classLabel.isEmpty, promptsFile != nil, unconditional].count { $0 }
    guard sources <= 1 else {
      throw ValidationError("--prompt, --class-label, --prompts-file and --unconditional exclude one another")
    }
    guard sources == 1 || from != nil else {
      throw ValidationError("A prompt is missing; give --prompt, --class-label, --prompts-file or --from")
    }
    if secondPrompt != nil, promptsFile != nil {
      throw ValidationError("--prompt-2 does not go with --prompts-file")
    }
  }

  /// One entry a prompt or class.
  func entries(_ repeated: RepeatedPicture?) throws -> [PromptEntry] {
    if let promptsFile { return try PromptsFile(path: promptsFile).entries }
    if !classLabel.isEmpty {
      return try classLabel.map { label in
        var entry = PromptEntry()
        entry.classLabel = try Self.checked(label, "--class-label")
        entry.negativePrompt = negativePrompt
        return entry
      }
    }
    var entry = PromptEntry()
    if prompt == nil, !unconditional, let repeated, repeated.isOfClass {
      entry.classLabel = try repeated.classLabel()
    } else if !unconditional {
      guard let text = try prompt.map(Self.text) ?? repeated?.string("prompt") else {
        throw CommandFailure(.usage, "A prompt is missing; give --prompt.")
      }
      entry.prompt = try Self.checked(text, "--prompt")
      guard
        repeated != nil && prompt == nil || entry.prompt.unicodeScalars.contains(where: { !$0.properties.isWhitespace })
      else {
        throw CommandFailure(.usage, "The prompt is empty; say what to render, or give --unconditional.")
      }
    }
    entry.negativePrompt = try negativePrompt.map { try Self.checked($0, "--negative-prompt") }
    return [entry]
  }

  /// The prompt itself, or what the standard input holds, without the line break at its end.
  private static func text(_ prompt: String) throws -> String {
    guard prompt == "-" else { return prompt }
    let bytes = try StandardInput.read(maximumBytes: PromptEntry.maximumPromptBytes + 2)
    guard var text = String(validating: bytes, as: UTF8.self) else {
      throw CommandFailure(.input, "The standard input is not valid UTF-8.")
    }
    while text.last?.isNewline == true { text.removeLast() }
    return text
  }

  static func checked(_ text: String, _ option: String) throws -> String {
    guard text.utf8.count <= PromptEntry.maximumPromptBytes else {
      throw CommandFailure(
        .usage,
        "\(option) has \(text.utf8.count) bytes, but at most \(PromptEntry.maximumPromptBytes) are accepted.")
    }
    guard !text.utf8.contains(0) else { throw CommandFailure(.usage, "\(option) holds a zero byte.") }
    return text
  }
}

/// Size, steps, guidance and seed.
struct PictureOptions: ParsableArguments {
  // Numbers are taken even where they begin with a minus: -1 is a seed, and the others get their own sentence.

  @Option(
    name: [.customShort("W"), .long], parsing: .unconditional,
    help: ArgumentHelp("Width in pixels.", valueName: "pixels"))
  var width: Int?

  @Option(
    name: [.customShort("H"), .long], parsing: .unconditional,
    help: ArgumentHelp("Height in pixels.", valueName: "pixels"))
  var height: Int?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Width and height at once, such as 1024x768.", valueName: "WxH"))
  var size: PixelSize?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Frames, for models of videos; HunyuanVideo makes 1, 5, 9 and so on, and 1 is a picture.", valueName: "count"))
  var frames: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Frames that a video shows in a second; the model's, or 15 if it has none, unless given.", valueName: "rate"))
  var fps: Double?

  @Option(parsing: .unconditional, help: ArgumentHelp("Denoising steps.", valueName: "count"))
  var steps: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Scale of distilled guidance, for models that take it (FLUX.1-dev).", valueName: "scale"))
  var guidance: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Scale of true classifier-free guidance; above 1 every step is computed for the negative prompt, or for no class, too.",
      valueName: "scale"))
  var cfgScale: Double?

  @Option(help: "Another scheduler than the model's own, with the settings of that; for models of classes (DiT).")
  var scheduler: SchedulerChoice?

  @Option(
    help:
      "The channels of the latents that a DiT is guided in: all, as diffusers has it, or three of four as its authors.")
  var cfgChannels: GuidedChannels?

  @Option(
    name: .shortAndLong, parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Seed; may be given several times for several pictures; -1 takes a random one.", valueName: "seed"))
  var seed: [Int64] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("So many pictures of each seed, which is counted up.", valueName: "count"))
  var batchCount = 1

  @Option(help: ArgumentHelp("Text tokens that the transformer sees.", valueName: "count"))
  var maxSequenceLength: Int?

  @Option(help: "What the noise is drawn in: float32, or bf16 as diffusers does where a model is loaded in bfloat16.")
  var noiseDtype: NoiseDtype?

  @Option(help: "Whose bf16 noise: torch as it is today, or torch-legacy, up to version 2.10.")
  var noiseCompat: NoiseCompat?

  @Option(
    help: "When the autoencoder works in tiles: auto is for pictures beyond about 1700 x 1700, videos beyond 512 x 288."
  )
  var vaeTiling: VAETiling?

  var isGiven: Bool {
    [width, height, frames, steps, maxSequenceLength].contains { $0 != nil } || size != nil
      || fps != nil || guidance != nil || cfgScale != nil || !seed.isEmpty || batchCount != 1
      || noiseDtype != nil || noiseCompat != nil || vaeTiling != nil
  }

  func validate() throws {
    guard size == nil || (width == nil && height == nil) else {
      throw ValidationError("--size and --width or --height exclude one another")
    }
    for (name, value) in [("--width", width ?? size?.width), ("--height", height ?? size?.height)] {
      if let value { try Self.check(name, value, in: 1...RenderRequest.maximumSide, "pixels") }
    }
    if let frames { try Self.check("--frames", frames, in: 1...RenderRequest.maximumFrames, "frames") }
    if let fps, !(fps > 0 && fps <= RenderRequest.maximumFramesPerSecond) {
      throw ValidationError(
        "--fps \(fps) is not a number above 0 up to \(Int(RenderRequest.maximumFramesPerSecond))")
    }
    if let steps { try Self.check("--steps", steps, in: 1...RenderRequest.maximumSteps, "steps") }
    if let maxSequenceLength {
      try Self.check("--max-sequence-length", maxSequenceLength, in: 1...RenderRequest.maximumTextTokens, "tokens")
    }
    try Self.check("--batch-count", batchCount, in: 1...100_000, "pictures")
    for (name, value) in [("--guidance", guidance), ("--cfg-scale", cfgScale)] {
      if let value, !(0...1000).contains(value) {
        throw ValidationError("\(name) \(value) is not a number from 0 to 1000")
      }
    }
    if let seed = seed.first(where: { $0 < -1 }) {
      throw ValidationError("--seed \(seed) is negative; seeds begin at 0, and -1 takes a random one")
    }
  }

  /// The seeds of an entry: its own, these options' or that of a repeated picture, each counted up for a batch.
  func seeds(_ entry: PromptEntry, _ repeated: RepeatedPicture?) throws -> [(seed: UInt64, isRandom: Bool)] {
    let given = entry.seed.map { [Int64($0)] } ?? seed
    let first = given.map { $0 < 0 ? (Self.randomSeed(), true) : (UInt64($0), false) }
    return try (first.isEmpty ? [(repeated?.seed() ?? 0, false)] : first).flatMap { first in
      (0..<batchCount).map { (first.0 &+ UInt64($0), first.1) }
    }
  }

  /// torch looks at the lower 32 bits of a seed only, and short ones are easier to type again.
  private static func randomSeed() -> UInt64 { UInt64.random(in: 0..<1 << 32) }

  /// The model with the scheduler that is asked for.
  func scheduled(_ model: any RenderModel, _ repeated: RepeatedPicture? = nil) throws -> any RenderModel {
    guard let own = model.scheduler else {
      guard scheduler == nil else {
        throw CommandFailure(
          .usage, "--scheduler is for models of classes such as DiT; \(model.path) has one of its own.")
      }
      return model
    }
    let choice = try scheduler ?? repeated?.choice("scheduler", SchedulerChoice.self) ?? own
    return try choice == own ? model : model.with(choice) ?? model
  }

  private static func check(_ name: String, _ value: Int, in range: ClosedRange<Int>, _ unit: String) throws {
    guard range.contains(value) else {
      throw ValidationError("\(name) \(value) is not from \(range.lowerBound) to \(range.upperBound) \(unit)")
    }
  }
}

struct PixelSize: ExpressibleByArgument {
  var width: Int
  var height: Int

  init?(argument: String) {
    let parts = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]) else { return nil }
    self.width = width
    self.height = height
  }
}

enum NoiseDtype: String, ExpressibleByArgument, CaseIterable {
  case float32
  case bf16

  var format: NoiseFormat { self == .float32 ? .float32 : .bfloat16 }
}

enum NoiseCompat: String, ExpressibleByArgument, CaseIterable {
  case torch
  case torchLegacy = "torch-legacy"

  var noise: TorchNoise { self == .torch ? .current : .legacy }
}

extension VAETiling: ExpressibleByArgument {}
extension GuidedChannels: ExpressibleByArgument {}
extension SchedulerChoice: ExpressibleByArgument {}
