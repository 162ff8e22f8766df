import Messaging

/// What a worker keeps when its coordinator was started again: the new one may go on with it, as if nothing had been.
extension WorkerCore {
  /// A coordinator of a higher epoch has come. What is whole is kept; steps that are under way come to their end between the
  /// stages, which need no coordinator for that.
  mutating func holdOn() {
    guard var stage, stage.isReady else { return letGo() }
    stage.held = (.init(epoch: stage.epoch, attempt: stage.attempt), stage.held?.since ?? now)
    self.stage = stage
    // One that waits for the rest of its opening gets it no more, nor does one that the coordinator before did not take over.
    for sample in samples where !sample.hasCondition || sample.awaitsSnapshot || sample.epoch != stage.epoch {
      close(sample.key)
    }
    for index in samples.indices {
      samples[index].isHeld = true
      samples[index].snapshot = nil
      // What the first stage begins with comes from the coordinator.
      guard stage.number == 0, !samples[index].isComputing else { continue }
      samples[index].order = nil
      samples[index].hasInput = false
    }
    reportsHeld = true
  }

  var isHeldTooLong: Bool {
    guard let stage, stage.epoch < epoch, let since = stage.held?.since else { return false }
    return now - since > Self.patience
  }

  mutating func tellHeld() {
    reportsHeld = false
    guard let stage, let (held, _) = stage.held else { return }
    let assignment = stage.assignment
    let list = HeldSamples(
      samples: samples.filter(\.isHeld).map { sample in
        HeldSamples.Sample(
          key: sample.key, attempt: sample.attempt, step: sample.step,
          isBusy: sample.isComputing || sample.order != nil && sample.hasInput)
      })
    let body = HeldStage(
      epoch: held.epoch, blocks: assignment.blocks, stages: assignment.stages, model: assignment.model,
      precision: assignment.precision)
    post(.held(body), list.payload, fence: Fence(attempt: held.attempt, stage: stage.number))
  }

  /// The coordinator takes over a stage as it is, if it is just that.
  ///
  /// - Returns: whether it is.
  mutating func adopt(_ assignment: Assignment, _ fence: Fence) -> Bool {
    guard let held = assignment.held, var stage, stage.isReady, stage.epoch < epoch, stage.number == fence.stage,
      held == .init(epoch: stage.epoch, attempt: stage.attempt), stage.assignment.isSame(as: assignment, fence.stage)
    else { return false }
    (stage.epoch, stage.attempt, stage.assignment) = (epoch, fence.attempt, assignment)
    self.stage = stage
    effects.append(.adopt(assignment, attempt: fence.attempt, stage: fence.stage))
    post(
      .ready(Readiness(residentBytes: stage.residentBytes)), fence: Fence(attempt: fence.attempt, stage: fence.stage))
    return true
  }

  /// The coordinator goes on with a sample that it was told of, if nothing has become of it since, and it is of the same
  /// request. The fence has the first step that it lacks.
  mutating func resume(_ held: SampleOpening.Held, _ opening: SampleOpening, _ settings: Payload, _ fence: Fence) {
    var wanted = opening
    wanted.held = nil
    guard let index = index(fence.sample, held.attempt), samples[index].isHeld, samples[index].step == held.step,
      !samples[index].isComputing, samples[index].opening == wanted, samples[index].settings == settings,
      let report = report(of: fence.step, samples[index])
    else {
      close(fence.sample)
      let failure = StageFailure(.unexpected, "this is not what is held")
      var answer = fence
      answer.sequence = 0
      post(.failed(failure), fence: answer)
      return
    }
    (samples[index].epoch, samples[index].attempt) = (epoch, fence.attempt)
    (samples[index].isHeld, samples[index].order, samples[index].hasInput) = (false, nil, false)
    effects.append(
      .resume(
        fence.sample, held: held.attempt, attempt: fence.attempt, step: held.step, isOutputWanted: report != nil))
    guard let report else { return }
    var answer = fence
    answer.sequence = 0
    post(.stepDone(report.report), report.labels, fence: answer)
  }

  /// What is to be told again of a step: `.some(nil)` for nothing, and nil if it is not known.
  private func report(of step: UInt32, _ sample: Sample) -> Report?? {
    if step == sample.step { return .some(nil) }
    guard step + 1 == sample.step, let last = sample.last, last.step == step else { return nil }
    return last
  }
}

extension Assignment {
  /// Whether a stage that has one has the other, with the same lines to others. That of the last stage, to the coordinator, is
  /// made anew.
  fileprivate func isSame(as other: Assignment, _ stage: UInt32) -> Bool {
    blocks == other.blocks && stages == other.stages && model == other.model && precision == other.precision
      && (stage + 1 == stages || next == other.next)
  }
}
