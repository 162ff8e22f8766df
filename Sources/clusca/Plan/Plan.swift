import ArgumentParser
import RenderCluster
import Rendering
import StrictJSON
import Tensors

/// `clusca plan`: how a model would be shared out among workers that need not exist.
struct Plan: ParsableCommand, PictureCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says how the blocks of a model would be shared out among workers, and how fast that would be.",
    discussion: """
      A dry run: no worker has to exist, and no weights are loaded. The workers stand in a file, a list of objects:

        [{"name": "a", "gflops": 900, "memory": "16 GB", "link": "1 Gbit/s"}]

      memory is what weights, feature caches and a step's own values may take. The times follow from operations, gflops \
      and bytes handed over; text encoders and decoder are not in them. Ends with status \(ExitStatus.memory.rawValue) if \
      the workers cannot hold the model.
      """)

  @Option(
    help: ArgumentHelp("The description of the workers.", valueName: "file"), completion: .file(extensions: ["json"]))
  var workers: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Samples in flight at once: one a picture, two with a --cfg-scale above 1; as many as workers unless given.",
      valueName: "count"))
  var samples: Int?

  @OptionGroup
  var replicaOptions: ReplicaOptions

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup(title: "Picture")
  var pictureOptions: PictureOptions

  @OptionGroup(title: "Model")
  var modelOptions: ModelOptions

  @OptionGroup(title: "Caching")
  var cacheOptions: CacheOptions

  var negativePrompt: String? { nil }
  var secondPrompt: String? { nil }

  func validate() throws {
    if let samples, !(1...100_000).contains(samples) {
      throw ValidationError("--samples \(samples) is not from 1 to 100000")
    }
  }

  func run() throws {
    let capacities = try WorkersFile(path: workers).workers
    let modelName = modelOptions.model ?? DefaultModel(for: [], frames: pictureOptions.frames).name
    let model = try pictureOptions.scheduled(modelOptions.open(modelName))
    var entry = PromptEntry()
    // Any class costs the same, but for none in particular there is no guidance.
    if model.classLabels != nil { entry.classLabel = "0" }
    var notes: [String] = []
    let settings = try BaseSettings(self, model: model, modelName: modelName)
      .settings(entry, seed: 0, notes: &notes)
    let report = try PlanReport(
      model, settings, workers: capacities, samples: samples ?? capacities.count, mostReplicas: replicaOptions.most)
    for note in notes { StandardError.write("clusca: \(note)") }
    try StandardOutput.write(
      json
        ? JSONValue.object(report.json).text(pretty: true)
        : report.lines.map(\.withControlsShown).joined(separator: "\n"))
  }
}
