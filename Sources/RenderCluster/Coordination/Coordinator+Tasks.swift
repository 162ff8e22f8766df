import Messaging
import Tensors

/// Something that a worker can do beside a pipeline, with its tensors.
struct ClusterTask: Sendable {
  var kind: TaskOrder.Kind
  var model: Messaging.Digest
  var precision: WirePrecision
  var payload: Payload
  /// Latents to decode.
  var input: Tensor?
  /// What is to come of it.
  var outputs: [TensorPlan]
}

/// What is done beside the pipeline: ``CoordinatorCore`` says by whom, and here are the tensors.
extension Coordinator {
  struct TaskResult: Sendable {
    var tensors: [WireStream: Tensor] = [:]
    var payload = Payload.empty
  }

  /// A task that somebody waits for.
  struct RunningTask {
    let job: UInt64
    let task: ClusterTask
    let waiting: CheckedContinuation<TaskResult?, any Error>
    var attempt: UInt32?
    var line: TensorLine?
    var result = TaskResult()
    /// Whether its worker has said that all is on its way.
    var isReported = false

    var isDone: Bool { isReported && task.outputs.allSatisfy { result.tensors[$0.stream] != nil } }
  }

  /// How long the rest of a result may be on its way.
  private static let resultSeconds = 300

  /// Has a task done by a worker; nil if none can or does.
  ///
  /// - Throws: `CancellationError`.
  func run(_ task: ClusterTask, job: UInt64) async throws -> TaskResult? {
    lastTask += 1
    let id = lastTask
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
        tasks[id] = RunningTask(job: job, task: task, waiting: continuation)
        let order = TaskOrder(task.kind, model: task.model, precision: task.precision, destination: outputsNeighbour)
        post(.taskWanted(WantedTask(id: id, job: job, order: order, payload: task.payload)))
      }
    } onCancel: {
      Task { await cancel(task: id) }
    }
  }

  private func cancel(task id: UInt64) async {
    guard tasks[id] != nil else { return }
    await endTask(id, .failure(CancellationError()))
    post(.taskDropped(id))
  }

  private func endTask(_ id: UInt64, _ result: Result<TaskResult?, any Error>) async {
    guard let running = tasks.removeValue(forKey: id) else { return }
    if let attempt = running.attempt { outputs.cancel { $0.attempt == attempt } }
    running.waiting.resume(with: result)
    await running.line?.close()
  }

  func taskFailed(_ id: UInt64) async { await endTask(id, .success(nil)) }

  /// A worker has been given the task: its results are expected, and it gets what it needs.
  func begin(_ id: UInt64, _ attempt: UInt32, _ worker: Assignment.Neighbour) async {
    guard let running = tasks[id] else { return }
    let job = running.job
    tasks[id]?.attempt = attempt
    updateOutputAccess()
    do {
      for plan in running.task.outputs {
        try outputs.expect(.init(plan, fence: taskFence(job, attempt, stage: 1), sender: worker.key))
      }
      guard let input = running.task.input, let plan = TensorPlan(.latents, .float32, shape: input.shape) else {
        return
      }
      let line = try await openLine(to: worker, "The worker at \(worker.address)")
      tasks[id]?.line = line
      line.send(plan, input.payload(), fence: taskFence(job, attempt, stage: 0))
    } catch {
      note("A task of job \(job) cannot be given to the worker at \(worker.address): \(error)")
      await taskFailed(id)
      post(.taskDropped(id))
    }
  }

  private func taskFence(_ job: UInt64, _ attempt: UInt32, stage: UInt32) -> Fence {
    Fence(epoch: epoch, job: job, attempt: attempt, stage: stage)
  }

  /// - Returns: whether the tensor is one of a task.
  func takeTaskOutput(_ arrival: TensorInbox.Arrival) async -> Bool {
    guard let id = tasks.first(where: { $0.value.attempt == arrival.fence.attempt })?.key else { return false }
    guard let tensor = Tensor(arrival) else { return true }
    tasks[id]?.result.tensors[arrival.plan.stream] = tensor
    await endTaskIfDone(id)
    return true
  }

  /// - Returns: whether what was lost is of a task.
  func loseTaskOutput(_ fence: Fence) async -> Bool {
    guard let id = tasks.first(where: { $0.value.attempt == fence.attempt })?.key else { return false }
    await taskFailed(id)
    post(.taskDropped(id))
    return true
  }

  func taskReported(_ id: UInt64, _ payload: Payload) async {
    tasks[id]?.result.payload = payload
    tasks[id]?.isReported = true
    await endTaskIfDone(id)
    guard tasks[id] != nil else { return }
    Task {
      try await Task.sleep(for: .seconds(Self.resultSeconds))
      await taskFailed(id)
    }
  }

  private func endTaskIfDone(_ id: UInt64) async {
    guard let running = tasks[id], running.isDone else { return }
    await endTask(id, .success(running.result))
  }

  func failTasks() async {
    for id in tasks.keys.sorted() { await endTask(id, .failure(CancellationError())) }
  }
}
