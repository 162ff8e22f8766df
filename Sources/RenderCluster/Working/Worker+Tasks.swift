import Messaging
import Rendering
import Tensors

/// What a worker does beside its stage: prompts and pixels.
extension Worker {
  func dropTasks() {
    for (attempt, task) in tasks {
      task.work?.cancel()
      tensors?.cancel { $0.attempt == attempt && $0.job == task.job }
    }
    tasks = [:]
  }

  func perform(_ order: TaskOrder, _ settings: Payload, _ job: UInt64, _ attempt: UInt32) async {
    do {
      let model = configuration.models.first { $0.digest == order.model }
      guard let parts = model?.parts else {
        throw WireError("There is no model \(order.model.shortText) for this here")
      }
      var task = WorkerTask(order, try TaskSettings(settings), job: job, parts: parts)
      if let plan = try await task.inputPlan() {
        let fence = Fence(epoch: core.fence.epoch, job: job, attempt: attempt)
        try tensors?.expect(.init(plan, fence: fence, sender: configuration.security.coordinatorKey))
      } else {
        start(&task, attempt, latents: nil)
      }
      tasks[attempt] = task
    } catch {
      await apply(.taskFailed(job: job, attempt: attempt, StageFailure(.request, "\(error)")))
    }
  }

  func start(_ task: inout WorkerTask, _ attempt: UInt32, latents: Tensor?) {
    let (copy, post, epoch, room) = (task, post, core.fence.epoch, configuration.memoryBytes)
    task.work = Task {
      do {
        let outcome = try await copy.outcome(latents, memoryBytes: room)
        post.yield(.performed(attempt: attempt, epoch: epoch, .success(outcome)))
      } catch {
        post.yield(.performed(attempt: attempt, epoch: epoch, .failure(error)))
      }
    }
  }

  func finish(_ attempt: UInt32, _ result: Result<TaskOutcome, any Error>) async {
    guard let task = tasks.removeValue(forKey: attempt) else { return }
    do {
      let outcome = try result.get()
      let line = try await lineToCoordinator(task.order.destination)
      let fence = Fence(epoch: core.fence.epoch, job: task.job, attempt: attempt, stage: 1)
      for (stream, tensor) in outcome.tensors {
        guard let plan = TensorPlan(stream, .float32, shape: tensor.shape) else { continue }
        line.send(plan, tensor.payload(), fence: fence)
      }
      let report = TaskReport(microseconds: UInt64(outcome.microseconds))
      await apply(.taskDone(job: task.job, attempt: attempt, report, facts: outcome.facts.payload))
    } catch {
      let reason: Reason = (error as? JobError)?.reason ?? .internal
      await apply(.taskFailed(job: task.job, attempt: attempt, StageFailure(reason, "\(error)")))
    }
  }
}
