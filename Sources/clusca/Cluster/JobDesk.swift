import Files
import Media
import Messaging
import RenderCluster
import Rendering
import StrictJSON
import Tensors

/// Takes requests of clients, has them rendered and hands out the pictures: what stands between ``Coordinator`` and those who
/// want something of it.
actor JobDesk {
  /// Jobs that have ended and can still be asked for.
  private static let rememberedJobs = 1_000
  /// The latest; a status has to fit into a message.
  private static let listedJobs = 500
  private static let maximumPictureBytes = 1 << 30

  private struct Job {
    let id: UInt64
    let key: [UInt8]
    let client: String
    /// Whom to tell; the connection from which it was last asked for.
    var peer: Peer
    let model: String
    let steps: Int
    var phase = JobEvent.Phase.queued
    var stepsDone = 0
    var task: Task<Void, Never>?
    /// The picture itself is in its file.
    var ending: (ending: JobEnding, report: JSONObject, path: String?)?
  }

  private let coordinator: Coordinator
  private let models: [ServedModel]
  private let hosts: [ModelHost]
  private let folder: String
  /// Pictures say so if nothing protected what they were made over.
  private let transport: String?
  private let note: @Sendable (String) -> Void
  private let limits = Limits()
  private var jobs: [Job] = []
  private var deliveries: [(peer: Peer, sender: TensorSender, fence: Fence)] = []
  private var lastTransfer: UInt64 = 0
  private var lastRequest: UInt64 = 0

  /// - Parameters:
  ///   - models: the first is that of requests which name none.
  ///   - folder: where the pictures go.
  ///   - transport: what pictures say about it.
  /// - Throws: what is wrong with the system, which has no more threads.
  init(
    _ coordinator: Coordinator, _ models: [ServedModel], folder: String, transport: String? = nil,
    note: @escaping @Sendable (String) -> Void
  ) throws {
    self.coordinator = coordinator
    self.models = models
    self.folder = folder
    self.transport = transport
    self.note = note
    hosts = try models.map { try ModelHost($0) }
  }

  /// Serves until the coordinator stops or the task is cancelled.
  func serve() async {
    for await message in coordinator.clientMessages { await take(message) }
    for job in jobs { job.task?.cancel() }
    for job in jobs { await job.task?.value }
  }

  private func take(_ received: Coordinator.ClientMessage) async {
    let (message, peer) = (received.message, received.peer)
    let sequence = message.fence.sequence
    switch message.body {
    case .hello:
      let welcome = Welcome(build: Version.current, leaseMilliseconds: 0)
      coordinator.send(Message(.welcome(welcome)), to: peer)
    case .submit(let submission): submit(submission, received.payload, peer, sequence)
    case .status:
      let json = JSONValue.object(await status()).text()
      coordinator.send(Message(.status, fence: Fence(sequence: sequence)), Payload(json), to: peer)
    case .cancel: cancel(message.fence.job, peer, sequence)
    case .ack(let receipt): update(receipt.transfer) { $0.handle(receipt) }
    case .resend(let request): update(request.transfer) { $0.handle(request) }
    case .credit(let change): update(change.transfer) { $0.handle(change) }
    case .heartbeat: pump()
    default: break
    }
  }

  private func status() async -> JSONObject {
    var json = await coordinator.status.json
    json["models"] = .array(models.map { .string($0.name) })
    json["video_frames"] = .object(
      models.reduce(into: [:]) { frames, served in
        if served.model.framesPerLatent != nil { frames[served.name] = .integer(served.model.defaults.frames) }
      })
    json["jobs"] = .array(
      jobs.suffix(Self.listedJobs).map { job in
        var entry: JSONObject = [
          "id": .integer(Int(clamping: job.id)), "client": .string(job.client), "model": .string(job.model),
          "state": .string(job.ending.map { "\($0.ending.outcome)" } ?? "\(job.phase)"), "steps": .integer(job.steps),
          "steps_done": .integer(job.stepsDone),
        ]
        if let ending = job.ending {
          entry["text"] = .string(ending.ending.text)
          entry["path"] = ending.path.map(JSONValue.string) ?? .null
        }
        return .object(entry)
      })
    return json
  }

  // MARK: - Submitting

  private func submit(_ submission: Submission, _ payload: Payload, _ peer: Peer, _ sequence: UInt64) {
    if let index = jobs.firstIndex(where: { $0.key == submission.key && $0.client == peer.name }) {
      // The same request again, as after a lost connection.
      jobs[index].peer = peer
      accept(jobs[index].id, peer, sequence)
      if jobs[index].ending != nil { deliver(index) }
      return
    }
    do {
      guard jobs.count(where: { $0.client == peer.name && $0.ending == nil }) < limits.jobsOfAClient else {
        throw JobError(.quota, "This client has \(limits.jobsOfAClient) jobs already.")
      }
      var (settings, model) = try JobRequest(payload.bytes).resolved(models)
      settings.transport = transport
      begin(settings, model, submission.key, peer, sequence)
    } catch {
      let reason: Reason = (error as? JobError)?.reason ?? .request
      let refusal = Refusal(reason, ErrorReport(error).sentence ?? "", acknowledged: sequence)
      coordinator.send(Message(.refused(refusal)), to: peer)
    }
  }

  private func accept(_ job: UInt64, _ peer: Peer, _ sequence: UInt64) {
    coordinator.send(Message(.accepted(Acceptance(acknowledged: sequence)), fence: Fence(job: job)), to: peer)
  }

  private func begin(
    _ settings: PictureSettings, _ model: ServedModel, _ key: [UInt8], _ peer: Peer, _ sequence: UInt64
  ) {
    guard let place = models.firstIndex(where: { $0.name == model.name }) else { return }
    let host = hosts[place]
    lastRequest += 1
    let request = lastRequest
    jobs.append(Job(id: request, key: key, client: peer.name, peer: peer, model: model.name, steps: settings.steps))
    accept(request, peer, sequence)
    tell(request, .queued, 0)
    let task = Task {
      do {
        let made = try await make(request, settings, model, host)
        end(request, JobEnding(.done), made.report, made.path)
      } catch is CancellationError {
        end(request, JobEnding(.cancelled, text: "It was cancelled."), [:], nil)
      } catch {
        let reason: Reason = (error as? JobError)?.reason ?? .internal
        end(request, JobEnding(.failed, reason: reason, text: ErrorReport(error).sentence ?? ""), [:], nil)
      }
    }
    jobs[jobs.count - 1].task = task
  }

  /// Renders a picture and writes it into the folder.
  private nonisolated func make(
    _ request: UInt64, _ settings: PictureSettings, _ model: ServedModel, _ host: ModelHost
  ) async throws -> (report: JSONObject, path: String) {
    let start = ContinuousClock.now
    await tell(request, .conditioning, 0)
    let cluster = ClusterStages(
      coordinator: coordinator, digest: model.digest, modelName: model.name, picturesAtOnce: 1, job: request)
    let session = try await host.session(settings, model.model, cluster, job: request)
    let maker = PictureMaker(model: model.model, count: 1, isQuiet: true, cluster: cluster, host: host)
    var latents: [SHA256.Digest] = []
    let made = try await maker.make(settings, number: 1, session) { step, _ in
      latents.append(SHA256.digest(of: step.latents))
      Task { await self.tell(request, .denoising, step.index + 1) }
    }
    let png = try settings.sheet(of: made.pixels)
    let path = try FinishedPicture(png: png).write(
      to: "\(folder)/job-\(request).png", ifExists: .number)
    var manifest = try RenderManifest(of: model.model, parts: [], isQuiet: true)
    manifest.pictures = [
      RenderManifest.Picture(
        file: path.split(separator: "/").last.map(String.init) ?? path, settings: settings.json, hasMetadata: true,
        latents: latents, pixels: SHA256.digest(of: made.pixels),
        png: try settings.pngDigest(of: made.pixels, hasMetadata: true))
    ]
    let report = PictureRunReport(
      path: path, settings: settings, summary: made.summary, denoising: made.denoising,
      total: start.duration(to: .now))
    var json = report.json
    json["manifest"] = manifest.json
    return (json, path)
  }

  private func tell(_ request: UInt64, _ phase: JobEvent.Phase, _ progress: Int) {
    guard let index = jobs.firstIndex(where: { $0.id == request }), jobs[index].ending == nil else { return }
    jobs[index].phase = phase
    jobs[index].stepsDone = progress
    let job = jobs[index]
    let event = JobEvent(phase, progress: UInt64(progress), total: UInt32(job.steps))
    coordinator.send(Message(.event(event), fence: Fence(job: request)), to: job.peer)
  }

  private func end(_ request: UInt64, _ ending: JobEnding, _ report: JSONObject, _ path: String?) {
    guard let index = jobs.firstIndex(where: { $0.id == request }) else { return }
    note("Job \(request) of \(jobs[index].client): \(ending.outcome)\(ending.text.isEmpty ? "." : ": \(ending.text)")")
    jobs[index].ending = (ending, report, path)
    deliver(index)
    let ended = jobs.count { $0.ending != nil }
    if ended > Self.rememberedJobs, let oldest = jobs.firstIndex(where: { $0.ending != nil }) {
      jobs.remove(at: oldest)
    }
  }

  private func cancel(_ request: UInt64, _ peer: Peer, _ sequence: UInt64) {
    guard let job = jobs.first(where: { $0.id == request }) else {
      return refuse(.request, "There is no job \(request).", peer, sequence)
    }
    guard job.client == peer.name || peer.role == .admin || peer.key == nil else {
      return refuse(.denied, "Job \(request) is not yours.", peer, sequence)
    }
    job.task?.cancel()
    coordinator.send(
      Message(.received(Receipt(acknowledged: sequence)), fence: Fence(job: request)), to: peer)
  }

  private func refuse(_ reason: Reason, _ text: String, _ peer: Peer, _ sequence: UInt64) {
    coordinator.send(Message(.refused(Refusal(reason, text, acknowledged: sequence))), to: peer)
  }

  // MARK: - Handing out

  /// Tells the client how its job has ended; the picture follows in chunks.
  private func deliver(_ index: Int) {
    let job = jobs[index]
    guard let ended = job.ending else { return }
    var (ending, json) = (ended.ending, ended.report)
    let fence = Fence(job: job.id)
    var png: [UInt8] = []
    if let path = ended.path {
      do {
        png = try InputFile.read(path, maximumBytes: Self.maximumPictureBytes)
      } catch {
        ending = JobEnding(.failed, reason: .storage, text: ErrorReport(error).sentence ?? "")
      }
    }
    json["bytes"] = .integer(png.count)
    coordinator.send(Message(.done(ending), fence: fence), Payload(JSONValue.object(json).text()), to: job.peer)
    deliveries.removeAll { $0.fence.job == job.id }
    guard let plan = TensorPlan(fileBytes: png.count) else { return }
    lastTransfer += 1
    deliveries.append(
      (job.peer, TensorSender(transfer: lastTransfer, plan, Payload(file: png, for: plan)), fence))
    pump()
  }

  private func update(_ transfer: UInt64, _ change: (inout TensorSender) -> Void) {
    guard let index = deliveries.firstIndex(where: { $0.sender.transfer == transfer }) else { return }
    change(&deliveries[index].sender)
    if deliveries[index].sender.isDone { deliveries.remove(at: index) }
    pump()
  }

  private func pump() {
    let now = MonotonicClock.milliseconds
    for index in deliveries.indices {
      while let (chunk, bytes) = deliveries[index].sender.next(now: now) {
        coordinator.send(Message(.chunk(chunk), fence: deliveries[index].fence), bytes, to: deliveries[index].peer)
        deliveries[index].sender.sent(chunk, now: now)
      }
    }
  }
}
