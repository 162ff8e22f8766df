import Messaging
import Tensors

@testable import RenderCluster

/// What both ends do about snapshots.
extension Simulation {
  // MARK: - Workers

  func takeSnapshot(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ worker: SimulatedWorker) {
    guard let place = worker.cache(key, attempt) else { return }
    let cache = worker.caches[place].cache
    worker.snapshots.removeAll { $0.key == key }
    worker.snapshots.append((key, attempt, step, cache.snapshot))
    let blocks = cache.blocks.map { block in
      SnapshotManifest.Block(number: block, items: [.init(name: "chain", shape: [2], precision: .float32)])
    }
    apply(
      .snapshotTaken(key, attempt: attempt, step: step, manifest: SnapshotManifest(blocks: blocks).payload), worker)
  }

  func sendSnapshot(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ worker: SimulatedWorker) {
    guard worker.stage != nil, let index = worker.sample(key, attempt),
      var taken = worker.snapshots.first(where: { $0.key == key && $0.attempt == attempt && $0.step == step })
    else { return }
    if bug == .snapshotTakenWhenItIsSent, let cache = worker.cache(key, attempt) {
      taken.chain = worker.caches[cache].cache.snapshot
    }
    worker.snapshots.removeAll { $0.key == key }
    let line =
      worker.resultLine ?? line(from: worker.index, to: 0, as: worker.name, incarnation: UInt64(worker.started))
    worker.resultLine = line
    for (block, value) in taken.chain.sorted(by: { $0.key < $1.key }) {
      let fence = fence(worker.samples[index], step, stage: UInt32(block))
      line.add(SimulatedTensorServer.plan(.state), Payload(hash: value), fence: fence)
    }
    pump(line)
  }

  func expectSnapshot(
    _ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ manifest: Payload, _ worker: SimulatedWorker
  ) {
    guard let stage = worker.stage, let index = worker.sample(key, attempt) else { return }
    do {
      let blocks = try SnapshotManifest(manifest).blocks.map(\.number)
      guard blocks.allSatisfy(stage.blocks.contains), blocks.count == stage.blocks.count else {
        return violation("\(worker.name) gets a snapshot of the blocks \(blocks) for \(stage.blocks)")
      }
      worker.samples[index].restoring = Dictionary(uniqueKeysWithValues: blocks.map { ($0, nil) })
      for block in blocks {
        let fence = fence(worker.samples[index], step, stage: UInt32(block))
        try worker.server.expect(.state, fence)
      }
    } catch { violation("\(worker.name) cannot expect a snapshot: \(error)") }
  }

  func takeState(_ arrival: TensorInbox.Arrival, _ worker: SimulatedWorker) {
    guard let index = worker.sample(arrival.fence.sample, arrival.fence.attempt),
      worker.samples[index].epoch == arrival.fence.epoch
    else { return }
    worker.samples[index].restoring?[Int(arrival.fence.stage)] = .some(arrival.payload.hash)
    restoreIfComplete(arrival.fence.sample, arrival.fence.attempt, worker)
  }

  func restoreIfComplete(_ key: SampleKey, _ attempt: UInt32, _ worker: SimulatedWorker) {
    guard let index = worker.sample(key, attempt), let restoring = worker.samples[index].restoring,
      restoring.values.allSatisfy({ $0 != nil }),
      let cache = worker.cache(key, attempt)
    else { return }
    worker.samples[index].restoring = nil
    if bug != .snapshotNotRestored { worker.caches[cache].cache.restore(restoring.compactMapValues { $0 }) }
    situations.insert(.restoredSnapshot)
    apply(.restored(key, attempt: attempt), worker)
  }

  // MARK: - Coordinator

  func expectSnapshot(
    _ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ stage: UInt32, _ manifest: SnapshotManifest
  ) {
    guard let job = openJob(key) else { return }
    var coming = job.rows[Int(key.row)].coming ?? .init(attempt: attempt, step: step)
    if (coming.attempt, coming.step) != (attempt, step) { coming = .init(attempt: attempt, step: step) }
    coming.missing[stage] = Set(manifest.blocks.map(\.number))
    job.rows[Int(key.row)].coming = coming
    if now < rates.end, random.chance(rates.snapshotLoss) {
      return apply(.snapshotLost(key, attempt: attempt, "there is no room"))
    }
    for block in manifest.blocks {
      var fence = Fence(epoch: epoch, job: key.job, row: key.row, attempt: attempt, step: step)
      fence.stage = UInt32(block.number)
      do { try coordinatorServer.expect(.state, fence) } catch {
        violation("a snapshot of step \(step) of \(key) cannot be expected: \(error)")
      }
    }
    if bug == .snapshotKeptTooEarly { apply(.snapshotArrived(key, attempt: attempt, stage: stage)) }
  }

  func takeState(_ arrival: TensorInbox.Arrival) {
    let (key, block) = (arrival.fence.sample, Int(arrival.fence.stage))
    guard let job = job(key.job), !job.isOver, var coming = job.rows[Int(key.row)].coming,
      (coming.attempt, coming.step) == (arrival.fence.attempt, arrival.fence.step),
      let stage = coming.missing.first(where: { $0.value.contains(block) })?.key
    else { return }
    coming.chain[block] = arrival.payload.hash
    coming.missing[stage]?.remove(block)
    job.rows[Int(key.row)].coming = coming
    if coming.missing[stage]?.isEmpty == true {
      apply(.snapshotArrived(key, attempt: arrival.fence.attempt, stage: stage))
    }
  }

  func dropSnapshot(_ key: SampleKey, _ attempt: UInt32) {
    guard let job = job(key.job), !job.rows.isEmpty, job.rows[Int(key.row)].coming?.attempt == attempt else { return }
    job.rows[Int(key.row)].coming = nil
    coordinatorServer.cancel(.state) { $0.sample == key && $0.attempt == attempt }
  }

  func keepSnapshot(_ key: SampleKey, _ step: UInt32) {
    guard let job = openJob(key), let coming = job.rows[Int(key.row)].coming else { return }
    if coming.step != step { violation("a snapshot of step \(coming.step) of \(key) is kept for step \(step)") }
    job.rows[Int(key.row)].snapshot = coming
    job.rows[Int(key.row)].coming = nil
  }

  func sendSnapshot(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ stages: [Range<Int>]) {
    guard let job = openJob(key) else { return }
    guard let snapshot = job.rows[Int(key.row)].snapshot, snapshot.step == step else {
      return violation("\(key) goes on from step \(step), of which there is no snapshot")
    }
    for (line, blocks) in zip(stageLines(of: key), stages) {
      for (block, value) in snapshot.chain.sorted(by: { $0.key < $1.key }) where blocks.contains(block) {
        var fence = Fence(epoch: epoch, job: key.job, row: key.row, attempt: attempt, step: step)
        fence.stage = UInt32(block)
        line.add(SimulatedTensorServer.plan(.state), Payload(hash: value), fence: fence)
      }
      pump(line)
    }
  }
}
