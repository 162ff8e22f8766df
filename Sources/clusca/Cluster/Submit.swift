import ArgumentParser
import Files
import Media
import Messaging
import RenderCluster
import Rendering
import StrictJSON
import Tensors

/// `clusca submit`: asks a coordinator for pictures and videos.
struct Submit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Asks a coordinator for pictures or videos.",
    discussion: """
      Takes the options of generate and gives the same pictures and videos. What is not given is the coordinator's model's \
      default. The command waits for the pictures and writes them, also over a restart of the coordinator; Ctrl-C ends \
      their jobs. With --detach it prints the numbers of the jobs and ends; clusca fetch gets their pictures.
      """)

  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @OptionGroup(title: "Prompt")
  var promptOptions: PromptOptions

  @OptionGroup(title: "Picture")
  var pictureOptions: PictureOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The name of one of the coordinator's models; its first unless given.", valueName: "name"))
  var model: String?

  @OptionGroup
  var precision: PrecisionOptions

  @OptionGroup(title: "Caching")
  var cacheOptions: CacheOptions

  @OptionGroup(title: "Output")
  var outputOptions: OutputOptions

  @Flag(help: "Do not wait: print the numbers of the jobs.")
  var detach = false

  @Option(help: ArgumentHelp("Jobs with a higher one come first, from -100 to 100; 0 unless given.", valueName: "n"))
  var priority: Int?

  @Option(
    help: ArgumentHelp(
      "A text of your choice: the same request with the same text is the same job, however often it is submitted.",
      valueName: "text"))
  var idempotencyKey: String?

  func validate() throws {
    guard outputOptions.manifest == nil || !detach else {
      throw ValidationError("--manifest and --detach exclude one another")
    }
    if let priority, !LedgerJob.priorities.contains(priority) {
      throw ValidationError("--priority \(priority) is not a number from -100 to 100")
    }
    guard idempotencyKey?.isEmpty != true else { throw ValidationError("--idempotency-key is empty") }
    guard idempotencyKey == nil || !pictureOptions.seed.contains(where: { $0 < 0 }) else {
      throw ValidationError(
        "--idempotency-key and a random --seed exclude one another: the request would be another each time")
    }
  }

  func run() async throws {
    if let manifest = outputOptions.manifest {
      try AtomicFile.check(manifest, ifExists: outputOptions.force ? .overwrite : .refuse, createFolders: true)
    }
    let repeated = try promptOptions.from.map { try RepeatedPicture($0) }
    let entries = try promptOptions.entries(repeated)
    // What is wrong with a pattern is said before anybody is asked.
    let patterns = try entries.map { entry in
      try (entry.output ?? outputOptions.output).map { pattern throws(MediaError) in try OutputPattern(pattern) }
    }
    let client = try await CoordinatorClient.connect(connection)
    do {
      let requests = try await requests(zip(entries, patterns).map { ($0, $1) }, repeated, client)
      let submission = SubmittedPictures(client, requests, outputOptions, isDetached: detach)
      do {
        try await submission.run()
      } catch {
        if !detach { await submission.cancelAll() }
        throw error
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }

  private func requests(
    _ entries: [(PromptEntry, OutputPattern?)], _ repeated: RepeatedPicture?, _ client: CoordinatorClient
  ) async throws -> [SubmittedPictures.Request] {
    let served = try JSONValue(parsing: await client.ask(.status).1.bytes)
    var requests: [SubmittedPictures.Request] = []
    for (entry, given) in entries {
      let frames = try frames(entry, repeated, served)
      let pattern = try given ?? OutputPattern(PictureDestination.defaultPattern(frames: frames))
      for (seed, _) in try pictureOptions.seeds(entry, repeated) {
        let destination = try PictureDestination(pattern, frames: frames, index: requests.count, seed: seed)
        if !detach { try check(destination, entry) }
        requests.append(
          SubmittedPictures.Request(
            wish: .picture(JobRequest(json: json(entry, seed: seed, repeated)), key: key(of: requests.count)),
            destination: .known(destination)))
      }
    }
    return requests
  }

  /// Random, so that a request whose answer was lost can be sent again; or from the text that was given, and the place of the
  /// request among those of the command.
  private func key(of place: Int) -> [UInt8] {
    guard let idempotencyKey else { return (0..<Submission.keyBytes).map { _ in UInt8.random(in: 0...255) } }
    let digest = SHA256.digest(of: Array("\(place) \(idempotencyKey)".utf8))
    return Array(digest.bytes.prefix(Submission.keyBytes))
  }

  /// How many frames there will be; the coordinator's model has its own number of them.
  ///
  /// - Parameter served: the coordinator's status.
  private func frames(_ entry: PromptEntry, _ repeated: RepeatedPicture?, _ served: JSONValue) throws -> Int {
    if let given = try pictureOptions.frames ?? repeated?.integer("frames", in: 1...RenderRequest.maximumFrames) {
      return given
    }
    let name = model ?? served["model_for"]?[entry.classLabel == nil ? "prompts" : "classes"]?.string ?? ""
    return served["video_frames"]?[name]?.int ?? 1
  }

  /// Whether a result can be written there. The sides that the coordinator's model has of its own are not known yet.
  private func check(_ destination: PictureDestination, _ entry: PromptEntry) throws {
    let force = outputOptions.force
    try AtomicFile.check(destination.path, ifExists: force ? .overwrite : .number, createFolders: true)
    let options = pictureOptions
    try destination.check(
      width: entry.width ?? options.size?.width ?? options.width ?? 64,
      height: entry.height ?? options.size?.height ?? options.height ?? 64, rate: options.fps ?? 15, force: force)
  }

  /// What is given, under the names that pictures keep their settings by.
  private func json(_ entry: PromptEntry, seed: UInt64, _ repeated: RepeatedPicture?) -> JSONObject {
    var json = repeated?.settingsForRequest ?? [:]
    func set(_ key: String, _ value: JSONValue?) { if let value { json[key] = value } }
    let options = pictureOptions
    set("model", model.map { .string($0) })
    if let label = entry.classLabel {
      json["prompt"] = nil
      set("class_label", Int(label).map { .integer($0) } ?? .string(label))
    } else if json["class_label"] == nil || !entry.prompt.isEmpty {
      set("prompt", .string(entry.prompt))
    }
    set("prompt_2", promptOptions.secondPrompt.map { .string($0) })
    set("negative_prompt", (entry.negativePrompt ?? promptOptions.negativePrompt).map { .string($0) })
    set("seed", Int(exactly: seed).map { .integer($0) } ?? .string("\(seed)"))
    set("width", (entry.width ?? options.size?.width ?? options.width).map { .integer($0) })
    set("height", (entry.height ?? options.size?.height ?? options.height).map { .integer($0) })
    set("frames", options.frames.map { .integer($0) })
    set("fps", options.fps.map { .number($0) })
    set("steps", (entry.steps ?? options.steps).map { .integer($0) })
    set("guidance", (entry.guidance ?? options.guidance).map { .number($0) })
    set("cfg_scale", (entry.cfgScale ?? options.cfgScale).map { .number($0) })
    set("cfg_channels", options.cfgChannels.map { .string($0.rawValue) })
    set("scheduler", options.scheduler.map { .string($0.rawValue) })
    set("max_sequence_length", options.maxSequenceLength.map { .integer($0) })
    set("dtype", precision.dtype.map { .string($0.optionValue) })
    set("noise_dtype", options.noiseDtype.map { .string($0.rawValue) })
    set("noise_compat", options.noiseCompat.map { .string($0 == .torch ? "torch" : "torch-legacy") })
    set("vae_tiling", options.vaeTiling.map { .string($0.rawValue) })
    set("priority", priority.map { .integer($0) })
    if let cache = cacheOptions.json(json["cache"]?.object) { json["cache"] = .object(cache) }
    return json
  }
}

extension CacheOptions {
  /// What is given, on top of settings of a picture; nil if nothing is. The options themselves are looked at by whoever
  /// knows the model.
  func json(_ base: JSONObject?) -> JSONObject? {
    guard isGiven || base != nil else { return nil }
    var json = base ?? [:]
    if let cache {
      if json["method"] != .string(cache.rawValue) { json = [:] }
      json["method"] = .string(cache.rawValue)
    }
    if let cachePreset { json["preset"] = .string(cachePreset.rawValue) }
    for option in cacheOption.flatMap({ $0.split(separator: ",") }) {
      let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      json[parts[0]] = .string(parts.count == 2 ? parts[1] : "")
    }
    return json
  }
}
