import Files
import Rendering
import Synchronization
import Tensors
import Transformers

/// A step that has all it needs.
struct StageTask: Sendable {
  let key: SampleKey
  let attempt: UInt32
  /// The place of the order among those of its sample.
  let step: UInt32
  /// Whether the step is only to be measured.
  let isMeasurement: Bool
  let context: StepContext
  let input: Stage.Input

  fileprivate func isSame(as other: StageTask) -> Bool {
    (key, attempt, step) == (other.key, other.attempt, other.step)
  }

  /// Whether it takes long.
  fileprivate var isFull: Bool { context.kind.isFull && !isMeasurement }

  /// Whether both can be computed side by side: cached steps of the rows of a picture, which come to them together.
  fileprivate func isBeside(_ other: StageTask) -> Bool {
    !context.kind.isFull && !other.context.kind.isFull && key.job == other.key.job && key.row != other.key.row
      && context.index == other.context.index
  }
}

/// A step that is computed, or could not be.
struct StageOutcome: Sendable {
  let task: StageTask
  /// Nil for a measurement.
  let result: Result<Stage.Output?, any Error>
  let clusters: WireLabels
  let signal: Float?
  /// By the clock of this process.
  let startMicroseconds: Int64
  /// Without steps of other samples that were computed in between; a share of the time if it was computed beside others.
  let microseconds: Int64
  /// Of all samples of the stage.
  let cacheBytes: Int
}

/// Computes the steps of a stage, one at a time. A cached step takes a small part of a full one's time, so it does not wait
/// for one to end: it is computed between two blocks of it. Otherwise samples at cached steps would all queue up behind
/// those at full ones, at every stage, and stages would stand still.
///
/// The cached steps of a picture's rows are computed side by side where they wait together: they take little but weights from
/// memory, which then come once for all of them.
final class StageRunner: Sendable {
  /// What takes no time worth speaking of, such as opening a sample, and must not wait for a step either.
  typealias Errand = @Sendable (isolated Stage) -> Void

  private struct Queue {
    var errands: [Errand] = []
    var full: [StageTask] = []
    var cached: [StageTask] = []
    /// Cached steps that are not to begin without those of another row.
    var waiting: [StageTask] = []
    /// The last cached step of each sample that was taken.
    var taken: [SampleKey: Int] = [:]
    var isRunning = false

    /// The next cached step, with those that are computed beside it; empty if there is none, or while there are errands: one
    /// may have to come before the step behind it.
    mutating func takeCached() -> [StageTask] {
      guard errands.isEmpty, let first = cached.first else { return [] }
      // One of the other row alone: behind a restart of the coordinator there may be the same step of a sample twice, and
      // side by side with itself it would change its cache twice.
      let group = [first] + (cached.first(where: first.isBeside).map { [$0] } ?? [])
      cached.removeAll { task in group.contains { $0.isSame(as: task) } }
      for task in group { taken[task.key] = task.context.index }
      return group
    }

    /// Whether the same step of another row is on its way still.
    func isOtherRowMissing(_ task: StageTask) -> Bool {
      !cached.contains(where: task.isBeside)
        && !taken.contains { $0.job == task.key.job && $0 != task.key && $1 == task.context.index }
    }

    mutating func takeFull() -> StageTask? { errands.isEmpty && !full.isEmpty ? full.removeFirst() : nil }
  }

  let stage: Stage
  private let queue = Mutex(Queue())
  private let blocksDone = Atomic<UInt64>(0)
  private let patience: Duration
  private let report: @Sendable (StageOutcome) -> Void

  /// - Parameter patience: how long a cached step waits for that of another row. Rows of a picture go out one right behind the
  ///   other; if one has not come by then, something has gone wrong with it.
  init(
    _ stage: Stage, patience: Duration = .milliseconds(5), report: @escaping @Sendable (StageOutcome) -> Void
  ) {
    self.stage = stage
    self.patience = patience
    self.report = report
  }

  /// Rises as long as something is computed.
  var progress: UInt64 { blocksDone.load(ordering: .relaxed) }

  /// - Parameter hasOtherRow: whether the same step of another row is on its way here, for which a cached step waits a
  ///   moment.
  func add(_ task: StageTask, hasOtherRow: Bool = false) {
    var waits = false
    add { queue in
      if task.isFull {
        queue.full.append(task)
      } else if let place = queue.waiting.firstIndex(where: task.isBeside) {
        queue.cached += [queue.waiting.remove(at: place), task]
      } else if hasOtherRow, !task.context.kind.isFull, queue.isOtherRowMissing(task) {
        queue.waiting.append(task)
        waits = true
      } else {
        queue.cached.append(task)
      }
    }
    guard waits else { return }
    Task {
      try? await Task.sleep(for: patience)
      add { queue in
        guard let place = queue.waiting.firstIndex(where: task.isSame) else { return }
        queue.cached.append(queue.waiting.remove(at: place))
      }
    }
  }

  func add(_ errand: @escaping Errand) { add { $0.errands.append(errand) } }

  private func add(_ enqueue: (inout sending Queue) -> Void) {
    let starts = queue.withLock { queue in
      enqueue(&queue)
      defer { queue.isRunning = true }
      return !queue.isRunning
    }
    if starts { Task { await runAll() } }
  }

  /// Does not compute what waits for a sample that is closed, of whichever attempt.
  func drop(_ key: SampleKey, _ id: SampleID) {
    queue.withLock { queue in
      queue.full.removeAll { $0.context.sample == id }
      queue.cached.removeAll { $0.context.sample == id }
      queue.waiting.removeAll { $0.context.sample == id }
      queue.taken[key] = nil
    }
  }

  private func runAll() async {
    while isWorkLeft() {
      await stage.runErrands(self)
      let tasks = next()
      if !tasks.isEmpty { await stage.compute(tasks, self) }
    }
  }

  /// Whether to go on; if not, whoever adds work next begins anew.
  private func isWorkLeft() -> Bool {
    queue.withLock { queue in
      queue.isRunning = !(queue.errands.isEmpty && queue.cached.isEmpty && queue.full.isEmpty)
      return queue.isRunning
    }
  }

  private func next() -> [StageTask] {
    queue.withLock { queue in
      let cached = queue.takeCached()
      return cached.isEmpty ? queue.takeFull().map { [$0] } ?? [] : cached
    }
  }

  fileprivate func takeErrands() -> [Errand] {
    queue.withLock { queue in
      defer { queue.errands = [] }
      return queue.errands
    }
  }

  fileprivate func nextCached() -> [StageTask] { queue.withLock { $0.takeCached() } }

  fileprivate func finishedBlock() { blocksDone.add(1, ordering: .relaxed) }

  fileprivate func finish(_ outcome: StageOutcome) { report(outcome) }
}

extension Stage {
  fileprivate func runErrands(_ runner: StageRunner) {
    for errand in runner.takeErrands() { errand(self) }
  }

  /// - Parameter tasks: one, or several that are computed side by side.
  /// - Returns: the time that they took, in microseconds, with what was computed in between.
  @discardableResult
  fileprivate func compute(_ tasks: [StageTask], _ runner: StageRunner) -> Int64 {
    let start = Clock.microseconds
    var others: Int64 = 0
    FaultPoint.reach("stage.compute.before")
    let results: [Result<Computed, any Error>]
    do {
      results = try computed(tasks, runner, &others).map { .success($0) }
    } catch {
      results = tasks.map { _ in .failure(error) }
    }
    FaultPoint.reach("stage.compute.after")
    let whole = Clock.microseconds - start
    for (task, result) in zip(tasks, results) {
      let result = result.flatMap { computed in Result { try checked(computed, of: task) } }
      runner.finish(
        StageOutcome(
          task: task, result: result.map(\.output), clusters: (try? result.get())?.clusters ?? WireLabels(),
          signal: (try? result.get())?.signal, startMicroseconds: start,
          microseconds: (whole - others) / Int64(tasks.count), cacheBytes: cacheBytes))
    }
    return whole
  }

  /// What a step gave; a measurement has no output.
  private typealias Computed = (output: Output?, clusters: WireLabels, signal: Float?)

  private func computed(_ tasks: [StageTask], _ runner: StageRunner, _ others: inout Int64) throws -> [Computed] {
    if tasks.count == 1, tasks[0].isMeasurement {
      let signal = try measure(tasks[0].context, tasks[0].input) { stage in
        runner.finishedBlock()
        stage.runErrands(runner)
      }
      return [(nil, WireLabels(), signal)]
    }
    let results = try run(tasks.map { ($0.context, $0.input) }) { stage in
      runner.finishedBlock()
      stage.runErrands(runner)
      guard tasks[0].isFull else { return }
      while case let urgent = runner.nextCached(), !urgent.isEmpty { others += stage.compute(urgent, runner) }
    }
    return results.map { ($0.output, WireClusters.pack($0.clusters), $0.signal) }
  }

  private func checked(_ computed: Computed, of task: StageTask) throws -> Computed {
    if let output = computed.output, !output.isFinite {
      throw NotANumber(block: try firstBlockWithoutNumbers(task.context, task.input), stage: blocks)
    }
    return computed
  }
}

extension Stage.Output {
  fileprivate var isFinite: Bool {
    switch self {
    case .output(let output): output.isFinite
    case .state(let state): state.streams.values.allSatisfy(\.isFinite)
    case .change(let change): change.map { $0.rows.isFinite && $0.table?.isFinite ?? true } ?? true
    }
  }
}

/// A stage's result is infinite or none at all.
struct NotANumber: Error, Sendable, CustomStringConvertible {
  /// Where it began, if computing the step in full shows that.
  let block: Int?
  let stage: BlockRange

  var description: String {
    let place =
      block.map { "block \($0) gave" }
      ?? "blocks \(stage.lowerBound)-\(stage.upperBound - 1) gave, behind cached features,"
    return
      "\(place) numbers that are infinite or none at all; the weights are damaged, or a guidance scale is too large"
  }
}
