import Messaging

/// What is done beside the pipelines, at workers that can.
extension CoordinatorCore {
  /// However slow a processor is, a prompt or a picture is done by then.
  private static let taskMilliseconds: Int64 = 900_000

  /// Gives a task to the worker that has the fewest. If there is none for it, or it is lost with its worker, the task fails,
  /// and the coordinator does it itself.
  mutating func want(_ task: WantedTask) {
    let candidates = workers.indices.filter { index in
      !workers[index].isDraining && workers[index].hello.roles.contains(task.role)
        && workers[index].hello.models.contains(task.order.model)
    }
    func load(_ worker: Int) -> Int { tasks.count { $0.worker == workers[worker].name } }
    // The workers stand in the order of their names.
    guard let worker = candidates.min(by: { load($0) < load($1) }) else {
      return emit(.taskFailed(task.id))
    }
    let number = nextAttempt()
    tasks.append(
      TaskRecord(id: task.id, number: number, job: task.job, worker: workers[worker].name, begun: milliseconds))
    post(.task(task.order), task.payload, fence: Fence(job: task.job, attempt: number), to: worker)
    let neighbour = Assignment.Neighbour(address: workers[worker].hello.address, key: workers[worker].peer.key)
    emit(.taskBegun(task.id, attempt: number, neighbour))
  }

  mutating func take(_ report: TaskReport, _ payload: Payload, _ fence: Fence, _ worker: Int) {
    guard let place = place(ofTask: fence, worker) else { return }
    workers[worker].tasksDone += 1
    emit(.taskDone(tasks.remove(at: place).id, payload))
    releaseIfDrained(worker)
  }

  /// - Returns: whether the failure is one of a task.
  mutating func failed(task fence: Fence, _ failure: StageFailure, _ worker: Int) -> Bool {
    guard let place = place(ofTask: fence, worker) else { return false }
    emit(.note("The worker \(workers[worker].name) could not do its task of job \(fence.job): \(failure.text)"))
    emit(.taskFailed(tasks.remove(at: place).id))
    releaseIfDrained(worker)
    return true
  }

  /// Nobody waits for a task any more; what its worker makes of it is not looked at.
  mutating func forget(task id: UInt64) { tasks.removeAll { $0.id == id } }

  mutating func loseTasks(of worker: String) {
    for task in tasks where task.worker == worker { emit(.taskFailed(task.id)) }
    tasks.removeAll { $0.worker == worker }
  }

  mutating func watchTasks() {
    let time = milliseconds
    for task in tasks where time - task.begun > Self.taskMilliseconds {
      emit(.note("The worker \(task.worker) does not come to an end with its task of job \(task.job)."))
      emit(.taskFailed(task.id))
    }
    tasks.removeAll { time - $0.begun > Self.taskMilliseconds }
  }

  /// Whether outputs of a worker are waited for: of the last stage, and of tasks.
  func maySendOutputs(_ worker: String) -> Bool {
    pipeline(of: worker) != nil || tasks.contains { $0.worker == worker }
  }

  func hasTasks(_ worker: Int) -> Bool { tasks.contains { $0.worker == workers[worker].name } }

  private func place(ofTask fence: Fence, _ worker: Int) -> Int? {
    tasks.firstIndex { $0.number == fence.attempt && $0.worker == workers[worker].name }
  }
}

/// A task that is to be done.
public struct WantedTask: Sendable, Equatable {
  /// The runtime's number.
  public var id: UInt64
  public var job: UInt64
  public var order: TaskOrder
  public var payload: Payload

  public init(id: UInt64, job: UInt64, order: TaskOrder, payload: Payload) {
    self.id = id
    self.job = job
    self.order = order
    self.payload = payload
  }

  var role: WorkerRoles { if case .encode = order.kind { .encode } else { .decode } }
}

/// A task that a worker does.
struct TaskRecord: Sendable, Equatable {
  let id: UInt64
  /// Its attempt, which is no other's.
  let number: UInt32
  let job: UInt64
  let worker: String
  /// In milliseconds.
  let begun: Int64
}
