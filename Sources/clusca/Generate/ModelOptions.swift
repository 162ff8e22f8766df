import ArgumentParser
import Rendering
import Tensors

/// How exact.
struct PrecisionOptions: ParsableArguments {
  @Option(
    help: """
      float32, the default, is exact: the pictures of diffusers. bf16 is fast: weights and inputs of products are rounded to bfloat16. int8 is faster: those of the blocks are rounded to 8 bits, and their attention to bfloat16.
      """)
  var dtype: Precision?
}

/// Which model, how exact, on how many threads.
struct ModelOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A folder in the layout of diffusers, a single FLUX file, or the name org/name[@revision] of a repository in the "
        + "local Hugging Face cache. Unless given a small model that comes with clusca: default for prompts, default-dit "
        + "for classes, default-hunyuan for --frames.", valueName: "model"),
    completion: .directory)
  var model: String?

  @Option(help: ArgumentHelp("For a single file: the autoencoder, ae.safetensors.", valueName: "file"))
  var vae: String?

  @Option(
    name: [.customLong("clip-l"), .customLong("clip_l")],
    help: ArgumentHelp("For a single file: CLIP, a .safetensors file or a folder of transformers.", valueName: "path"))
  var clip: String?

  @Option(
    help: ArgumentHelp("For a single file: T5, a .safetensors file or a folder of transformers.", valueName: "path"))
  var t5xxl: String?

  @Option(help: ArgumentHelp("For a single file: the folder of CLIP's tokenizer.", valueName: "folder"))
  var tokenizer: String?

  @Option(
    name: .customLong("tokenizer-2"),
    help: ArgumentHelp("For a single file: the folder of T5's tokenizer.", valueName: "folder"))
  var secondTokenizer: String?

  @OptionGroup
  var precision: PrecisionOptions

  var dtype: Precision? { precision.dtype }

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Threads to compute with; the processors that there are unless given.", valueName: "count"))
  var threads: Int?

  var isGiven: Bool {
    [model, vae, clip, t5xxl, tokenizer, secondTokenizer].contains { $0 != nil } || dtype != nil || threads != nil
  }

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads \(threads) is not a number from 1 to 1024")
    }
  }

  /// The parts that go with a single file, in a fixed order.
  var partPaths: [String] { partOptions.compactMap { $0 } }

  private var partOptions: [String?] { [vae, clip, t5xxl, tokenizer, secondTokenizer] }

  /// Sets the threads and opens the model.
  func open(_ name: String) throws -> any RenderModel {
    if let threads { ThreadPool.shared.setThreads(threads) }
    let reference = try DefaultModel.reference(name)
    guard case .file(let file) = reference else {
      guard partOptions.allSatisfy({ $0 == nil }) else {
        throw CommandFailure(
          .usage,
          "--vae, --clip-l, --t5xxl, --tokenizer and --tokenizer-2 go with a single file given with --model only.")
      }
      return try RenderModels.open(reference)
    }
    guard file.lowercased().hasSuffix(".safetensors") else {
      throw CommandFailure(
        .input, "\(file) is no model: a model is a folder in the layout of diffusers or a .safetensors file.")
    }
    guard let vae, let clip, let t5xxl, let tokenizer, let secondTokenizer else {
      throw CommandFailure(
        .usage,
        "\(file) is a transformer alone; give its other parts with --vae, --clip-l, --t5xxl, --tokenizer and "
          + "--tokenizer-2.")
    }
    return FluxModel(
      try FluxCheckpoint(
        files: FluxOriginalFiles(
          transformer: file, autoencoder: vae, clip: clip, t5: t5xxl, clipTokenizer: tokenizer,
          t5Tokenizer: secondTokenizer)))
  }
}

extension Precision: ExpressibleByArgument {
  public init?(argument: String) {
    switch argument {
    case "float32", "f32", "fp32": self = .float32
    case "bfloat16", "bf16": self = .bfloat16
    case "int8": self = .int8
    default: return nil
    }
  }

  /// As it is written to `--dtype`, and in the settings of a picture.
  var optionValue: String { self == .bfloat16 ? "bf16" : rawValue }

  public static var allValueStrings: [String] { allCases.map(\.optionValue) }
}
