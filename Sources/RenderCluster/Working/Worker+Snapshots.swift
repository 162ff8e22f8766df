import Files
import Messaging
import Rendering
import Tensors

/// A snapshot that the stage has taken, with where it is to go.
struct TakenSnapshot: Sendable {
  let key: SampleKey
  /// Of its opening.
  let id: SampleID
  let attempt: UInt32
  let step: UInt32
  let parcel: SnapshotParcel
  let destination: Assignment.Neighbour
}

/// Snapshots of what the stage keeps of samples, and samples that begin with one.
extension Worker {
  /// The stage does it before the sample's next step, which comes behind it.
  func takeSnapshot(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ destination: Assignment.Neighbour) {
    guard let stage, let sample = samples[key], sample.attempt == attempt else { return }
    let (id, post) = (sample.id, post)
    stage.runner.add { stage in
      // The next step is going to say what is wrong with it.
      guard let snapshot = try? stage.snapshot(of: id) else { return }
      let taken = TakenSnapshot(
        key: key, id: id, attempt: attempt, step: step, parcel: SnapshotParcel(snapshot), destination: destination)
      FaultPoint.reach("stage.snapshot.taken")
      post.yield(.snapshot(taken))
    }
  }

  /// The coordinator is told of it first, so that it expects the tensors.
  func keep(_ taken: TakenSnapshot) async {
    guard let sample = samples[taken.key], sample.id == taken.id, sample.attempt == taken.attempt else { return }
    snapshots[taken.key] = taken
    await apply(
      .snapshotTaken(
        taken.key, attempt: taken.attempt, step: taken.step, manifest: taken.parcel.manifest.payload))
  }

  func sendSnapshot(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32) async {
    guard let stage, let sample = samples[key], sample.attempt == attempt,
      let taken = snapshots[key], taken.attempt == attempt, taken.step == step
    else { return }
    snapshots[key] = nil
    guard !taken.parcel.tensors.isEmpty else { return }
    do {
      let line = try await lineToCoordinator(taken.destination)
      for (block, plan, payload) in taken.parcel.tensors {
        line.send(plan, payload, fence: sample.fence(step: step, ofBlock: block, stage))
      }
      FaultPoint.reach("stage.snapshot.sent")
      sentSnapshots.append((key, attempt, step, Clock.microseconds))
    } catch {
      configuration.note("A snapshot cannot be sent: \(error)")
    }
  }

  /// The coordinator waits no longer for a snapshot than this.
  private static var patienceMicroseconds: Int64 { CoordinatorCore.snapshotPatienceMilliseconds * 1000 }

  /// What the coordinator has given up is not sent to it again and again.
  func dropOldSnapshots() {
    let now = Clock.microseconds
    for sent in sentSnapshots where now - sent.time > Self.patienceMicroseconds {
      let (key, attempt, step) = (sent.key, sent.attempt, sent.step)
      resultLine?.line.drop(.state) { $0.sample == key && $0.attempt == attempt && $0.step == step }
    }
    sentSnapshots.removeAll { now - $0.time > Self.patienceMicroseconds }
  }

  func expectSnapshot(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ manifest: Payload) async {
    guard let stage, let tensors, var sample = samples[key], sample.attempt == attempt else { return }
    do {
      let manifest = try SnapshotManifest(manifest)
      let sender = configuration.security.coordinatorKey
      for expectation in sample.expectations(manifest, step: step, stage, from: sender) {
        try tensors.expect(expectation)
      }
      samples[key] = sample
    } catch {
      return await apply(.failed(key, attempt: attempt, step: step, StageFailure(.memory, "\(error)")))
    }
    restoreIfComplete(key, stage)
  }

  /// The stage goes on from the snapshot when all of it is here, and the sample open; an errand that comes behind that of
  /// the opening finds it so.
  func restoreIfComplete(_ key: SampleKey, _ stage: LoadedStage) {
    guard var sample = samples[key], sample.isOpen, let snapshot = sample.snapshot else { return }
    sample.forgetSnapshot()
    samples[key] = sample
    let (id, post) = (sample.id, post)
    stage.runner.add { stage in
      do {
        try stage.restore(snapshot, of: id)
        FaultPoint.reach("stage.snapshot.restored")
        post.yield(.restored(key, id, failure: nil))
      } catch {
        post.yield(.restored(key, id, failure: "\(error)"))
      }
    }
  }
}
