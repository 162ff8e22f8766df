import ArgumentParser
import Files
import Media
import Messaging
import RenderCluster
import Rendering
import StrictJSON
import Tensors

/// `clusca submit`: asks a coordinator for pictures.
struct Submit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Asks a coordinator for pictures.",
    discussion: """
      Takes the options of generate and gives the same pictures. What is not given is the coordinator's model's default. \
      The command waits for the pictures and writes them, also over a restart of the coordinator; Ctrl-C ends their jobs. \
      With --detach it prints the numbers of the jobs and ends; clusca fetch gets their pictures.
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

  @Option(help: "float32, the default, is exact; bf16 is fast.")
  var dtype: Precision?

  @OptionGroup(title: "Caching")
  var cacheOptions: CacheOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where the pictures go: %d or %04d stands for the index, %s for the seed. A name that is taken gets a number.",
      valueName: "pattern"))
  var output = "clusca.png"

  @Flag(help: "Replace files that exist.")
  var force = false

  @Flag(help: "Do not wait: print the numbers of the jobs.")
  var detach = false

  @Option(help: ArgumentHelp("Jobs with a higher one come first, from -100 to 100; 0 unless given.", valueName: "n"))
  var priority: Int?

  @Option(
    help: ArgumentHelp(
      "A text of your choice: the same request with the same text is the same job, however often it is submitted.",
      valueName: "text"))
  var idempotencyKey: String?

  @Option(
    help: ArgumentHelp(
      "Write the digests of every step, of the pixels and of the files to this file, for clusca check.",
      valueName: "file"))
  var manifest: String?

  @Flag(help: "Print a JSON object for each picture.")
  var json = false

  @Flag(name: .shortAndLong, help: "Show no progress and no notes.")
  var quiet = false

  func validate() throws {
    guard manifest == nil || !detach else { throw ValidationError("--manifest and --detach exclude one another") }
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
    if let manifest { try AtomicFile.check(manifest, ifExists: force ? .overwrite : .refuse, createFolders: true) }
    let repeated = try promptOptions.from.map { try RepeatedPicture($0) }
    let requests = try requests(promptOptions.entries(repeated), repeated)
    if !detach {
      for request in requests {
        try AtomicFile.check(request.path, ifExists: force ? .overwrite : .number, createFolders: true)
      }
    }
    let client = try await CoordinatorClient.connect(connection)
    let submission = SubmittedPictures(
      client, requests,
      .init(force: force, json: json, quiet: quiet, detach: detach, manifest: manifest))
    do {
      try await submission.run()
    } catch {
      if !detach { await submission.cancelAll() }
      await client.close()
      throw error
    }
    await client.close()
  }

  private func requests(_ entries: [PromptEntry], _ repeated: RepeatedPicture?) throws -> [SubmittedPictures.Request] {
    var requests: [SubmittedPictures.Request] = []
    for entry in entries {
      let pattern = try OutputPattern(entry.output ?? output)
      for seed in try seeds(entry, repeated) {
        let request = JobRequest(json: json(entry, seed: seed, repeated))
        requests.append(
          SubmittedPictures.Request(
            wish: .picture(request, key: key(of: requests.count)),
            path: pattern.path(index: requests.count, seed: seed ?? 0)))
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

  /// Nil where the coordinator chooses, which takes 0.
  private func seeds(_ entry: PromptEntry, _ repeated: RepeatedPicture?) throws -> [UInt64?] {
    let given = entry.seed.map { [Int64($0)] } ?? pictureOptions.seed
    let first: [UInt64] = given.map { $0 < 0 ? UInt64.random(in: 0..<1 << 32) : UInt64($0) }
    guard !first.isEmpty || pictureOptions.batchCount > 1 else { return [try repeated?.seed()] }
    return (first.isEmpty ? [try repeated?.seed() ?? 0] : first).flatMap { seed in
      (0..<pictureOptions.batchCount).map { seed &+ UInt64($0) }
    }
  }

  /// What is given, under the names that pictures keep their settings by.
  private func json(_ entry: PromptEntry, seed: UInt64?, _ repeated: RepeatedPicture?) -> JSONObject {
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
    set("seed", seed.map { seed in Int(exactly: seed).map { .integer($0) } ?? .string("\(seed)") })
    set("width", (entry.width ?? options.size?.width ?? options.width).map { .integer($0) })
    set("height", (entry.height ?? options.size?.height ?? options.height).map { .integer($0) })
    set("frames", options.frames.map { .integer($0) })
    set("steps", (entry.steps ?? options.steps).map { .integer($0) })
    set("guidance", (entry.guidance ?? options.guidance).map { .number($0) })
    set("cfg_scale", (entry.cfgScale ?? options.cfgScale).map { .number($0) })
    set("cfg_channels", options.cfgChannels.map { .string($0.rawValue) })
    set("scheduler", options.scheduler.map { .string($0.rawValue) })
    set("max_sequence_length", options.maxSequenceLength.map { .integer($0) })
    set("dtype", dtype.map { .string($0 == .float32 ? "float32" : "bf16") })
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
