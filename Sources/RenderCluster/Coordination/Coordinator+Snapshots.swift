import Messaging
import Tensors

/// The tensors of a snapshot, which lie in memory as they came.
struct KeptSnapshot: Sendable {
  let attempt: UInt32
  let step: UInt32
  /// By the numbers of blocks.
  var tensors: [UInt32: (plan: TensorPlan, payload: Payload)] = [:]
  /// The blocks of each stage that are not here yet.
  var missing: [UInt32: Set<UInt32>] = [:]
  /// With those that are not here yet.
  var byteCount = 0
}

/// What is kept of stages, and given back to others.
extension Coordinator {
  func expectSnapshot(
    _ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ stage: UInt32, _ manifest: SnapshotManifest
  ) async {
    guard var sample = samples[key] else { return }
    if sample.coming.map({ ($0.attempt, $0.step) != (attempt, step) }) ?? true {
      sample.coming = KeptSnapshot(attempt: attempt, step: step)
    }
    do {
      let bytes = samples.values.reduce(manifest.byteCount) {
        $0 + ($1.snapshot?.byteCount ?? 0) + ($1.coming?.byteCount ?? 0)
      }
      guard bytes <= snapshotBytes else {
        throw JobError(
          .memory, "that takes \(bytes >> 20) MiB with those of other jobs, and \(snapshotBytes >> 20) may be")
      }
      for block in manifest.blocks {
        guard let plan = block.plan else { continue }
        let fence = Fence(
          epoch: epoch, job: key.job, row: key.row, attempt: attempt, stage: UInt32(block.number), step: step)
        try outputs.expect(.init(plan, fence: fence, sender: stageKey(stage)))
      }
      sample.coming?.missing[stage] = Set(manifest.blocks.map { UInt32($0.number) })
      sample.coming?.byteCount += manifest.byteCount
      samples[key] = sample
    } catch {
      dropComingSnapshot(key, attempt)
      return await apply(.snapshotLost(key, attempt: attempt, "\(error)"))
    }
    if manifest.blocks.isEmpty { await apply(.snapshotArrived(key, attempt: attempt, stage: stage)) }
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
  }

  func sendSnapshot(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ stages: [Range<Int>]) {
    guard let snapshot = samples[key]?.snapshot, snapshot.step == step else { return }
    for (line, blocks) in zip(lines, stages) {
      for (block, tensor) in snapshot.tensors.sorted(by: { $0.key < $1.key }) where blocks.contains(Int(block)) {
        let fence = Fence(
          epoch: epoch, job: key.job, row: key.row, attempt: attempt, stage: block, step: step)
        line.send(tensor.plan, tensor.payload, fence: fence)
      }
    }
  }
}
