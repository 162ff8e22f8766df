import ArgumentParser
import Files
import Rendering
import StrictJSON

/// `clusca bench`: caching methods beside no caching, on many prompts.
struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures caching methods on many prompts: time, operations, memory, PSNR and SSIM to no caching.",
    discussion: """
      Every prompt is rendered without caching first and then by each policy, from the same noise:

        clusca bench --prompts prompts.txt --out results --policies "clusca:interval=5;taylorseer:interval=5,max_order=2"

      A policy is a method of --cache and options of --cache-option; none:steps=N stands for fewer plain steps. --out gets \
      pictures, results.csv, results.json and report.html, which needs nothing but itself. A run that was stopped goes on \
      where it was if it is given the same options; results are written when all is measured. Ends with status \
      \(ExitStatus.usage.rawValue) for a policy that there is not and \(ExitStatus.output.rawValue) where --out holds \
      something else.
      """)

  @Option(
    help: ArgumentHelp(
      "Prompts: .txt with one a line, or .csv or .jsonl with \(PromptKey.list); - reads lines from the standard input.",
      valueName: "file"), completion: .file(extensions: ["txt", "csv", "jsonl"]))
  var prompts: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Classes, for models of classes (DiT): numbers or names.", valueName: "class;…"))
  var classLabels: String?

  @Option(help: ArgumentHelp("What is compared to no caching.", valueName: "name:option=value,…;…"))
  var policies: String

  @Option(help: ArgumentHelp("The folder for pictures and results.", valueName: "folder"))
  var out: String

  @Option(help: ArgumentHelp("Take only the first so many prompts.", valueName: "count"))
  var limit: Int?

  @Option(name: .shortAndLong, help: ArgumentHelp("What to stay away from.", valueName: "text"))
  var negativePrompt: String?

  @Flag(help: "Measure again what is there already, and replace it.")
  var force = false

  @Flag(help: "Print the results as one JSON object.")
  var json = false

  @Flag(name: .shortAndLong, help: "Show no progress and no notes.")
  var quiet = false

  @OptionGroup(title: "Picture")
  var pictureOptions: PictureOptions

  @OptionGroup(title: "Model")
  var modelOptions: ModelOptions

  func validate() throws {
    guard (prompts == nil) != (classLabels == nil) else {
      throw ValidationError("Give either --prompts or --class-labels")
    }
    guard limit.map({ $0 >= 1 }) ?? true else { throw ValidationError("--limit \(limit ?? 0) is not 1 or more") }
    guard !out.isEmpty else { throw ValidationError("--out is empty") }
    guard !pictureOptions.seed.contains(-1) else {
      throw ValidationError("A random seed cannot be measured again; give --seed a number from 0 on")
    }
  }

  /// What is rendered, without caching.
  private struct Uncached: PictureCommand {
    let negativePrompt: String?
    let secondPrompt: String? = nil
    let pictureOptions: PictureOptions
    let modelOptions: ModelOptions
    let cacheOptions: CacheOptions
  }

  func run() async throws {
    let entries = try promptEntries()
    let modelName = modelOptions.model ?? DefaultModel(for: entries, frames: pictureOptions.frames).name
    let model = try pictureOptions.scheduled(modelOptions.open(modelName))
    let policies = try BenchPolicy.list(policies, family: model.cachePreset)
    let base = try BaseSettings(
      Uncached(
        negativePrompt: negativePrompt, pictureOptions: pictureOptions, modelOptions: modelOptions,
        cacheOptions: try CacheOptions.parse(["--cache", "none"])),
      model: model, modelName: modelName)
    var notes: [String] = []
    var pictures: [PictureSettings] = []
    for entry in entries {
      guard entry.seed != -1 else {
        throw CommandFailure(
          .input, "\(prompts ?? ""), line \(entry.line): a random seed cannot be measured again; give another or none.")
      }
      for seed in try pictureOptions.seeds(entry, nil) {
        pictures.append(try base.settings(entry, seed: seed.seed, notes: &notes))
      }
    }
    if !quiet { for note in notes { StandardError.write("clusca: \(note)") } }
    for name in ["results.csv", "results.json", "report.html"] {
      try AtomicFile.check("\(out)/\(name)", ifExists: .overwrite, createFolders: true)
    }
    var run = try BenchRun(
      pictures, policies: policies, folder: out, model: model, isForced: force, isQuiet: quiet)
    try await run.measure()
    let results = BenchResults(run, command: try ["clusca"] + ProgramArguments.all())
    try results.write(to: out)
    if json {
      try StandardOutput.write(JSONValue.object(results.json).text(pretty: true))
    } else {
      try StandardOutput.write(
        (ColumnTable.lines(results.table, rightAligned: Set(1..<12)) + ["", "\(out)/report.html"])
          .joined(separator: "\n"))
    }
  }

  private func promptEntries() throws -> [PromptEntry] {
    var entries: [PromptEntry]
    if let prompts {
      entries = try PromptsFile(path: prompts).entries
    } else {
      // Names of classes may hold commas.
      let text = classLabels ?? ""
      let labels = text.split(separator: text.contains(";") ? ";" : ",").map {
        String($0.drop { $0 == " " })
      }
      entries = try labels.map { label in
        var entry = PromptEntry()
        entry.classLabel = try PromptOptions.checked(label, "--class-labels")
        return entry
      }
      guard !entries.isEmpty else { throw CommandFailure(.usage, "--class-labels names no classes.") }
    }
    return Array(entries.prefix(limit ?? entries.count))
  }
}
