import Files
import Media
import Messaging
import RenderCluster
import Rendering
import StrictJSON

/// The pictures of one `submit` or `fetch`, from the asking to the files.
actor SubmittedPictures {
  struct Request: Sendable {
    let wish: Wish
    let destination: Destination
  }

  enum Wish: Sendable {
    /// The key is that by which the coordinator knows the request if it comes again.
    case picture(JobRequest, key: [UInt8])
    /// What a job that was submitted before has made.
    case job(UInt64)
  }

  enum Destination: Sendable {
    case known(PictureDestination)
    /// As the number of frames will have it; of a pattern, or of the names that pictures and videos have if none is given.
    case ofJob(UInt64, OutputPattern?)
  }

  private struct Open {
    let request: Request
    let job: UInt64
    var progress = 0
    var total = 0
    var report: JSONObject = [:]
    /// Whether its picture is on its way.
    var isComing = false
  }

  private let client: CoordinatorClient
  private let requests: [Request]
  private let options: OutputOptions
  private let isDetached: Bool
  private var open: [Open] = []
  private var inbox = PictureInbox()
  private var failure: (any Error)?
  /// That of all pictures so far.
  private var manifest: JSONObject?

  init(_ client: CoordinatorClient, _ requests: [Request], _ options: OutputOptions, isDetached: Bool) {
    self.client = client
    self.requests = requests
    self.options = options
    self.isDetached = isDetached
  }

  /// - Throws: the first failure of a job, when all have ended.
  func run() async throws {
    for request in requests {
      let job = try await ask(for: request)
      if isDetached {
        try StandardOutput.write("\(job)")
      } else {
        open.append(Open(request: request, job: job))
      }
    }
    guard !isDetached else { return }
    show()
    for await push in client.pushes {
      try Task.checkCancellation()
      switch push {
      case .message(let message, let payload): try await take(message, payload)
      case .reconnected: try await askAgain()
      }
      if open.isEmpty { break }
    }
    StandardError.clearProgress()
    try Task.checkCancellation()
    if let path = options.manifest, let manifest {
      try AtomicFile.write(
        JSONValue.object(manifest).text(pretty: true) + "\n", to: path, ifExists: options.force ? .overwrite : .refuse,
        createFolders: true)
    }
    if let failure { throw failure }
    guard open.isEmpty else { throw CommandFailure(.unavailable, "The connection to the coordinator was lost.") }
  }

  /// After a lost connection, or of a coordinator that was started again.
  private func askAgain() async throws {
    for index in open.indices {
      inbox.forget(job: open[index].job)
      open[index].isComing = false
      _ = try await ask(for: open[index].request)
    }
  }

  func cancelAll() async {
    StandardError.clearProgress()
    let (client, jobs) = (client, open.map(\.job))
    // A task of its own: the one that is interrupted cannot wait for anything.
    await Task { for job in jobs { _ = try? await client.ask(.cancel, job: job) } }.value
  }

  private func ask(for request: Request) async throws -> UInt64 {
    switch request.wish {
    case .picture(let request, let key):
      let payload = Payload(JSONValue.object(request.json).text())
      return try await client.ask(.submit(.init(key: key)), payload).0.fence.job
    case .job(let job): return try await client.ask(.fetch, job: job).0.fence.job
    }
  }

  private func take(_ message: Message, _ payload: Payload) async throws {
    guard let index = open.firstIndex(where: { $0.job == message.fence.job }) else { return }
    switch message.body {
    case .event(let event):
      open[index].total = Int(event.total)
      if event.phase == .denoising { open[index].progress = Int(clamping: event.progress) }
      if event.phase == .decoding { open[index].progress = open[index].total }
      show()
    case .done(let ending): try end(index, ending, payload)
    case .chunk(let chunk):
      let (answer, png) = inbox.take(chunk, payload, job: message.fence.job)
      if let answer { await client.send(Message(answer, fence: Fence(job: message.fence.job))) }
      if let png { try write(png, index) }
    default: break
    }
  }

  private func end(_ index: Int, _ ending: JobEnding, _ payload: Payload) throws {
    guard ending.outcome == .done else {
      let entry = open.remove(at: index)
      let reason: Reason = ending.outcome == .cancelled ? .cancelled : ending.reason ?? .internal
      let error = JobError(
        reason, "Job \(entry.job) has \(ending.outcome == .failed ? "failed" : "been cancelled"): \(ending.text)")
      if failure == nil { failure = error }
      return
    }
    guard !open[index].isComing else { return }
    let json = try JSONValue(parsing: payload.bytes)
    open[index].report = json.object ?? [:]
    open[index].isComing = true
    guard inbox.expect(job: open[index].job, bytes: json["bytes"]?.int ?? 0) else {
      throw CommandFailure(.failure, "The coordinator announces a picture of an impossible size.")
    }
  }

  private func write(_ png: [UInt8], _ index: Int) throws {
    let entry = open.remove(at: index)
    let settings = entry.report["settings"] ?? .null
    let picture = try ReceivedPicture(png: png, settings: settings)
    let paths = try picture.write(to: destination(of: entry.request, settings), options)
    StandardError.clearProgress()
    var report = entry.report
    try note(report["manifest"]?.object, paths[0], picture)
    report["manifest"] = nil
    report["path"] = .string(paths[0])
    if paths.count > 1 { report["paths"] = .array(paths.map { .string($0) }) }
    report["job"] = .integer(Int(clamping: entry.job))
    try StandardOutput.write(options.json ? JSONValue.object(report).text() : paths.joined(separator: "\n"))
    show()
  }

  private func destination(of request: Request, _ settings: JSONValue) throws -> PictureDestination {
    switch request.destination {
    case .known(let destination): return destination
    case .ofJob(let job, let pattern):
      let frames = max(1, settings["frames"]?.int ?? 1)
      return try PictureDestination(
        pattern ?? OutputPattern(frames > 1 ? "job-%d.mp4" : "job-%d.png"), frames: frames, index: Int(clamping: job),
        seed: settings["seed"]?.int.flatMap { UInt64(exactly: $0) } ?? 0)
    }
  }

  /// Adds a picture's part to the manifest, as the picture is here.
  private func note(_ part: JSONObject?, _ path: String, _ picture: ReceivedPicture) throws {
    guard options.manifest != nil, let part, var entry = part["pictures"]?.array?.first?.object else { return }
    entry["file"] = .string(path.split(separator: "/").last.map(String.init) ?? path)
    if options.noMetadata {
      entry["metadata"] = false
      entry["png_sha256"] = .string(try picture.digestWithoutMetadata().description)
    }
    let pictures = manifest?["pictures"]?.array ?? []
    manifest = manifest ?? part
    manifest?["pictures"] = .array(pictures + [.object(entry)])
  }

  private func show() {
    guard !options.quiet, StandardError.isTerminal, !open.isEmpty else { return }
    let (done, total) = open.reduce((0, 0)) { ($0.0 + $1.progress, $0.1 + $1.total) }
    let line = "\(open.count) of \(requests.count) pictures open, \(done)/\(total) steps"
    StandardError.show(progress: line, columns: line.count)
  }
}

/// Takes pictures that come in chunks.
private struct PictureInbox: ~Copyable {
  private var inbox = TensorInbox()
  /// Of the files; what arrives may be filled up.
  private var sizes: [UInt64: Int] = [:]

  /// Begins to take a job's picture; false if there cannot be one of that size.
  mutating func expect(job: UInt64, bytes: Int) -> Bool {
    guard let plan = TensorPlan(fileBytes: bytes) else { return false }
    do {
      try inbox.expect(.init(plan, fence: Fence(job: job), sender: nil))
      sizes[job] = bytes
      return true
    } catch {
      return error == .expectedAlready
    }
  }

  mutating func forget(job: UInt64) { inbox.cancel { $0.fence.job == job } }

  /// - Returns: what to answer, and the picture when it is whole.
  mutating func take(_ chunk: TensorChunk, _ payload: Payload, job: UInt64) -> (MessageBody?, [UInt8]?) {
    switch inbox.handle(chunk, payload, fence: Fence(job: job), from: nil) {
    case .acknowledge(let receipt): (.ack(receipt), nil)
    case .complete(let arrival, let receipt): (.ack(receipt), Array(arrival.payload.bytes.prefix(sizes[job] ?? 0)))
    case .request(let request): (.resend(request), nil)
    case .giveUp, .refuse, .unexpected: (nil, nil)
    }
  }
}
