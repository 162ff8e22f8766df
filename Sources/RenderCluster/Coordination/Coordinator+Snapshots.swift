import Messaging
import Rendering
import Tensors
import Transformers

/// The tensors of a snapshot, which lie in memory as they came.
struct KeptSnapshot: Sendable {
  let attempt: UInt32
  let step: UInt32
  /// By the numbers of blocks.
  var tensors: [UInt32: (plan: TensorPlan, payload: Payload)] = [:]
  /// The blocks of each stage that are not here yet.
  var missing: [UInt32: Set<UInt32>] = [:]
  /// With those that are not here yet.
  var manifest = SnapshotManifest()

  init(attempt: UInt32, step: UInt32) { (self.attempt, self.step) = (attempt, step) }

  /// That of a stage is to come.
  mutating func add(_ other: SnapshotManifest) { manifest = manifest.joined(with: other) }

  /// One that is here whole.
  init(attempt: UInt32, step: UInt32, _ manifest: SnapshotManifest, _ payloads: [UInt32: Payload]) {
    self.init(attempt: attempt, step: step)
    self.manifest = manifest
    for block in manifest.blocks {
      let number = UInt32(block.number)
      if let plan = block.plan, let payload = payloads[number] { tensors[number] = (plan, payload) }
    }
  }
}

/// What is kept of stages, and given back to others.
extension Coordinator {
  func expectSnapshot(
    _ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ stage: UInt32, _ manifest: SnapshotManifest
  ) {
    guard samples[key] != nil else { return }
    if samples[key]?.coming.map({ ($0.attempt, $0.step) != (attempt, step) }) ?? true {
      samples[key]?.coming = KeptSnapshot(attempt: attempt, step: step)
    }
    do {
      for block in manifest.blocks {
        guard let plan = block.plan else { continue }
        let fence = Fence(
          epoch: epoch, job: key.job, row: key.row, attempt: attempt, stage: UInt32(block.number), step: step)
        try outputs.expect(.init(plan, fence: fence, sender: stageKey(stage, of: key)))
      }
    } catch {
      return post(.snapshotLost(key, attempt: attempt, "\(error)"))
    }
    samples[key]?.coming?.missing[stage] = Set(manifest.blocks.map { UInt32($0.number) })
    samples[key]?.coming?.add(manifest)
    if manifest.blocks.isEmpty { post(.snapshotArrived(key, attempt: attempt, stage: stage)) }
  }

  func dropComingSnapshot(_ key: SampleKey, _ attempt: UInt32) {
    guard samples[key]?.coming?.attempt == attempt else { return }
    samples[key]?.coming = nil
    outputs.cancel(.state) { $0.sample == key && $0.attempt == attempt }
  }

  func takeState(_ arrival: TensorInbox.Arrival) async {
    let fence = arrival.fence
    guard var coming = samples[fence.sample]?.coming, (coming.attempt, coming.step) == (fence.attempt, fence.step),
      let stage = coming.missing.first(where: { $0.value.contains(fence.stage) })?.key
    else { return }
    coming.tensors[fence.stage] = (arrival.plan, arrival.payload)
    coming.missing[stage]?.remove(fence.stage)
    samples[fence.sample]?.coming = coming
    guard coming.missing[stage]?.isEmpty == true else { return }
    await apply(.snapshotArrived(fence.sample, attempt: fence.attempt, stage: stage))
  }

  func keepSnapshot(_ key: SampleKey, _ step: UInt32) {
    guard let coming = samples[key]?.coming, coming.step == step else { return }
    samples[key]?.snapshot = coming
    samples[key]?.coming = nil
    for order in 0..<Int(step) { samples[key]?.inputs[order] = nil }
    write(coming, of: key)
  }

  func sendSnapshot(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ stages: [Range<Int>]) {
    guard let snapshot = samples[key]?.snapshot, snapshot.step == step else { return }
    for (line, blocks) in zip(lines(of: key), stages) {
      for (block, tensor) in snapshot.tensors.sorted(by: { $0.key < $1.key }) where blocks.contains(Int(block)) {
        let fence = Fence(
          epoch: epoch, job: key.job, row: key.row, attempt: attempt, stage: block, step: step)
        line.send(tensor.plan, tensor.payload, fence: fence)
      }
    }
  }

  // MARK: - On the disk

  /// Only jobs of the ledger are begun again by another process.
  func isRemembered(_ key: SampleKey) -> Bool { snapshotFiles != nil && ledgerHolds(key.job) }

  /// Of whatever decides about the numbers of a sample.
  func requestDigest(
    _ key: SampleKey, _ opening: SampleOpening, _ settings: Payload, _ condition: Condition
  ) -> SHA256.Digest? {
    guard isRemembered(key), let model = modelKey(of: key.job) else { return nil }
    var hash = SHA256()
    let sizes = [opening.frames, opening.rows, opening.columns, opening.steps, opening.textTokens]
    let text =
      "\(identityText) \(model.digest) \(model.precision) \(opening.seed) \(opening.guidance.bitPattern) \(sizes) "
    hash.update(Array(text.utf8))
    settings.withBytes { hash.update($0) }
    if case .text(let text, let pooled, _) = condition {
      for tensor in [text, pooled] { tensor.withUnsafeElements { hash.update(UnsafeRawBufferPointer($0)) } }
    }
    return hash.finalize()
  }

  /// Where a process before this one has got to.
  func resumePoint(of key: SampleKey, _ request: SHA256.Digest?) async -> ResumePoint? {
    guard let snapshotFiles, let request else { return nil }
    do {
      guard let point = try await snapshotFiles.read(key, request: request) else { return nil }
      note("There is a snapshot of job \(key.job), row \(key.row) in front of step \(point.step + 1).")
      return point
    } catch {
      note("The snapshot of job \(key.job), row \(key.row) cannot be used, so that it begins anew: \(error).")
      return nil
    }
  }

  /// What a process before this one was given beyond its last snapshot.
  func openAnswers(of key: SampleKey, _ sample: inout RemoteSample) async {
    guard let snapshotFiles, let request = sample.request else { return }
    let file = snapshotFiles.answers(of: key, request: request)
    do {
      sample.answers = try await file.open(knowing: sample.answers)
      sample.file = file
    } catch {
      note("What steps of job \(key.job), row \(key.row) give cannot be kept: \(error).")
    }
  }

  /// One after the other; if one comes while another is written, that is left out.
  private func write(_ snapshot: KeptSnapshot, of key: SampleKey) {
    guard let snapshotFiles, isRemembered(key), !writing.contains(key), let sample = samples[key],
      let request = sample.request, sample.answers.count >= Int(snapshot.step)
    else { return }
    let point = ResumePoint(
      step: snapshot.step, manifest: snapshot.manifest, tensors: snapshot.tensors.mapValues(\.payload),
      answers: Array(sample.answers.prefix(Int(snapshot.step))))
    writing.insert(key)
    Task {
      do {
        try await snapshotFiles.write(point, of: key, request: request)
      } catch {
        if samples[key]?.isUnwritten == false {
          note("Snapshots of job \(key.job), row \(key.row) cannot be written for now: \(error).")
        }
        samples[key]?.isUnwritten = true
      }
      writing.remove(key)
      if !ledgerHolds(key.job) { snapshotFiles.remove(job: key.job) }
    }
  }
}
