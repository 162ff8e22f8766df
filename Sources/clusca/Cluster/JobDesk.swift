import Files
import Media
import Messaging
import RenderCluster
import Rendering
import StrictJSON
import Tensors

/// Has the jobs of a coordinator's ledger rendered and hands out what they have made: what stands between ``Coordinator``,
/// which decides, and clients and files.
actor JobDesk {
  private let coordinator: Coordinator
  private let models: [ServedModel]
  private let hosts: [ModelHost]
  private let outputs: JobOutputs
  /// Pictures say so if nothing protected what they were made over.
  private let transport: String?
  private let note: @Sendable (String) -> Void
  /// By job, with a number that tells a task from one before.
  private var tasks: [UInt64: (number: Int, task: Task<Void, Never>)] = [:]
  private var lastTask = 0
  private var deliveries = JobDeliveries()

  /// - Parameters:
  ///   - models: the first is that of requests which name none.
  ///   - transport: what pictures say about it.
  /// - Throws: what is wrong with the system, which has no more threads.
  init(
    _ coordinator: Coordinator, _ models: [ServedModel], outputs: JobOutputs, transport: String? = nil,
    note: @escaping @Sendable (String) -> Void
  ) throws {
    self.coordinator = coordinator
    self.models = models
    self.outputs = outputs
    self.transport = transport
    self.note = note
    hosts = try models.map { try ModelHost($0) }
  }

  /// Serves until the coordinator stops or the task is cancelled.
  func serve() async {
    for await order in coordinator.orders {
      switch order {
      case .message(let message): await take(message)
      case .work(let job): begin(job)
      case .halt(let job): tasks[job]?.task.cancel()
      case .deliver(let job, let peer): deliver(job, to: peer)
      case .discard(let job): outputs.remove(job.id)
      }
    }
    let open = tasks.values.map(\.task)
    for task in open { task.cancel() }
    for task in open { await task.value }
  }

  // MARK: - Clients

  private func take(_ received: Coordinator.ClientMessage) async {
    let (message, peer) = (received.message, received.peer)
    let asker = Asker(peer, sequence: message.fence.sequence)
    switch message.body {
    case .hello:
      let welcome = Welcome(build: Version.current, leaseMilliseconds: 0)
      coordinator.send(Message(.welcome(welcome)), to: peer)
    case .submit(let submission): submit(submission, received.payload, asker)
    case .status: coordinator.tell(.statusWanted(await status(), from: asker))
    case .cancel: coordinator.tell(.command(.cancel(message.fence.job), from: asker))
    case .jobs: takeQuestion(received.payload, asker)
    case .fetch: coordinator.tell(.awaited(job: message.fence.job, from: asker))
    case .ack(let receipt): update(receipt.transfer, of: peer) { $0.handle(receipt, now: MonotonicClock.milliseconds) }
    case .resend(let request): update(request.transfer, of: peer) { $0.handle(request) }
    case .credit(let change): update(change.transfer, of: peer) { $0.handle(change) }
    case .heartbeat: pump()
    default: break
    }
  }

  /// What a status says beside what the coordinator's core knows.
  private func status() async -> JSONObject {
    let usage = await coordinator.journalUsage
    return [
      "models": .array(models.map { .string($0.name) }),
      "model_for": [
        "classes": .string(models.first(ofClasses: true).name), "prompts": .string(models.first(ofClasses: false).name),
      ],
      "video_frames": .object(
        models.reduce(into: [:]) { frames, served in
          if served.model.framesPerLatent != nil { frames[served.name] = .integer(served.model.defaults.frames) }
        }), "outputs": .string(outputs.folder),
      "journal": [
        "records": .integer(Int(clamping: usage.records)),
        "synchronisations": .integer(Int(clamping: usage.synchronisations)), "bytes": .integer(usage.bytes),
        "capacity": .integer(usage.capacity),
      ],
    ]
  }

  private func submit(_ submission: Submission, _ payload: Payload, _ asker: Asker) {
    var priority = 0
    let verdict: Result<JobSubmission.Facts, JobError>
    do {
      let request = try JobRequest(payload.bytes)
      priority = try request.priority()
      let (settings, model) = try request.resolved(models)
      verdict = .success(.init(model: model.name, steps: settings.steps))
    } catch {
      verdict = .failure(Self.refusal(of: error))
    }
    let request = String(decoding: payload.bytes, as: UTF8.self)
    let asked = JobSubmission(key: submission.key, request: request, priority: priority, verdict: verdict)
    coordinator.tell(.asked(asked, from: asker))
  }

  private func takeQuestion(_ payload: Payload, _ asker: Asker) {
    let json = (try? JSONValue(parsing: payload.bytes)) ?? .null
    if let query = JobQuery(json) {
      coordinator.tell(.listed(query, from: asker))
    } else if let command = JobCommand(json) {
      coordinator.tell(.command(command, from: asker))
    } else {
      let text = "The question about jobs makes no sense; client and coordinator may be of different versions."
      coordinator.send(Message(.refused(Refusal(.request, text, acknowledged: asker.sequence))), to: asker.peer)
    }
  }

  private static func refusal(of error: any Error, unless reason: Reason = .request) -> JobError {
    (error as? JobError) ?? JobError(reason, ErrorReport(error).sentence ?? "")
  }

  // MARK: - Rendering

  private func begin(_ job: LedgerJob) {
    lastTask += 1
    let number = lastTask
    // Of a job that was requeued, the task before may not be at its end.
    let previous = tasks[job.id]?.task
    let task = Task {
      await previous?.value
      await render(job)
      if tasks[job.id]?.number == number { tasks[job.id] = nil }
    }
    tasks[job.id] = (number, task)
  }

  private nonisolated func render(_ job: LedgerJob) async {
    do {
      try Task.checkCancellation()
      coordinator.tell(.rendered(job: job.id, try await make(job)))
    } catch is CancellationError {
      // The coordinator knows, or stops.
    } catch let error as JobError where error.reason == .cancelled {
      // It stops.
    } catch {
      coordinator.tell(.failed(job: job.id, Self.refusal(of: error, unless: .internal)))
    }
  }

  /// Renders a job and puts what it makes into the folder.
  private nonisolated func make(_ job: LedgerJob) async throws -> [LedgerJob.Output] {
    let request = try JobRequest(Array(job.request.utf8))
    guard let place = models.firstIndex(where: { $0.name == job.model }) else {
      note("Job \(job.id) waits: the model \(job.model) is not served any more.")
      throw CancellationError()
    }
    // That for which it was accepted, whatever else is served by now.
    var (settings, model) = try request.resolved([models[place]])
    settings.transport = transport
    let start = ContinuousClock.now
    coordinator.tell(.progressed(job: job.id, .conditioning, 0))
    let cluster = ClusterStages(
      coordinator: coordinator, digest: model.digest, modelName: model.name, picturesAtOnce: 1, job: job.id)
    let host = hosts[place]
    let session = try await host.session(settings, model.model, cluster, job: job.id)
    let maker = PictureMaker(model: model.model, count: 1, isQuiet: true, cluster: cluster, host: host)
    var latents: [SHA256.Digest] = []
    coordinator.tell(.progressed(job: job.id, .denoising, 0))
    let made = try await maker.make(settings, number: 1, session) { step, _ in
      latents.append(SHA256.digest(of: step.latents))
      let isLast = step.index + 1 == settings.steps
      coordinator.tell(.progressed(job: job.id, isLast ? .decoding : .denoising, step.index + 1))
    }
    let png = try settings.sheet(of: made.pixels)
    let name = outputs.pictureName(job.id)
    var manifest = try RenderManifest(of: model.model, parts: [], isQuiet: true)
    manifest.pictures = [
      RenderManifest.Picture(
        file: name, settings: settings.json, hasMetadata: true, latents: latents,
        pixels: SHA256.digest(of: made.pixels),
        png: try settings.pngDigest(of: made.pixels, hasMetadata: true))
    ]
    let report = PictureRunReport(
      path: name, settings: settings, summary: made.summary, denoising: made.denoising,
      total: start.duration(to: .now))
    var json = report.json
    json["manifest"] = manifest.json
    return try await outputs.write(job.id, picture: png, report: JSONValue.object(json), note)
  }

  // MARK: - Handing out

  /// Tells the client how its job has ended; the picture follows in chunks.
  private func deliver(_ job: LedgerJob, to peer: Peer) {
    guard let ended = job.ending else { return }
    var ending = ended.ending
    var (json, picture): (JSONObject, [UInt8]) = ([:], [])
    if ending.outcome == .done {
      do {
        (json, picture) = try outputs.read(ended.outputs)
      } catch {
        ending = JobEnding(.failed, reason: .storage, text: ErrorReport(error).sentence ?? "")
      }
    }
    json["bytes"] = .integer(picture.count)
    let fence = Fence(job: job.id)
    coordinator.send(Message(.done(ending), fence: fence), Payload(JSONValue.object(json).text()), to: peer)
    guard !picture.isEmpty else { return }
    deliveries.add(picture, fence, to: peer)
    pump()
  }

  private func update(_ transfer: UInt64, of peer: Peer, _ change: (inout TensorSender) -> Void) {
    deliveries.update(transfer, of: peer, change)
    pump()
  }

  private func pump() {
    deliveries.pump { chunk, bytes, fence, peer in
      coordinator.send(Message(.chunk(chunk), fence: fence), bytes, to: peer)
    }
  }
}
