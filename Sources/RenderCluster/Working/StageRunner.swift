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
  /// Without steps of other samples that were computed in between.
  let microseconds: Int64
  /// Of all samples of the stage.
  let cacheBytes: Int
}

/// Computes the steps of a stage, one at a time. A cached step takes a small part of a full one's time, so it does not wait
/// for one to end: it is computed between two blocks of it. Otherwise samples at cached steps would all queue up behind
/// those at full ones, at every stage, and stages would stand still.
final class StageRunner: Sendable {
  /// What takes no time worth speaking of, such as opening a sample, and must not wait for a step either.
  typealias Errand = @Sendable (isolated Stage) -> Void

  private struct Queue {
    var errands: [Errand] = []
    var full: [StageTask] = []
    var cached: [StageTask] = []
    var isRunning = false
  }

  let stage: Stage
  private let queue = Mutex(Queue())
  private let blocksDone = Atomic<UInt64>(0)
  private let report: @Sendable (StageOutcome) -> Void

  init(_ stage: Stage, report: @escaping @Sendable (StageOutcome) -> Void) {
    self.stage = stage
    self.report = report
  }

  /// Rises as long as something is computed.
  var progress: UInt64 { blocksDone.load(ordering: .relaxed) }

  func add(_ task: StageTask) {
    add { queue in
      if task.context.kind.isFull && !task.isMeasurement { queue.full.append(task) } else { queue.cached.append(task) }
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

  /// Does not compute what waits for a sample that is closed.
  func drop(_ key: SampleKey, attempt: UInt32) {
    queue.withLock { queue in
      queue.full.removeAll { $0.key == key && $0.attempt == attempt }
      queue.cached.removeAll { $0.key == key && $0.attempt == attempt }
    }
  }

  private func runAll() async {
    while isWorkLeft() {
      await stage.runErrands(self)
      if let task = next() { await stage.compute(task, self) }
    }
  }

  /// Whether to go on; if not, whoever adds work next begins anew.
  private func isWorkLeft() -> Bool {
    queue.withLock { queue in
      queue.isRunning = !(queue.errands.isEmpty && queue.cached.isEmpty && queue.full.isEmpty)
      return queue.isRunning
    }
  }

  /// Nil while there are errands: one may have to come before the step behind it.
  private func next() -> StageTask? {
    queue.withLock { queue in
      guard queue.errands.isEmpty else { return nil }
      if !queue.cached.isEmpty { return queue.cached.removeFirst() }
      return queue.full.isEmpty ? nil : queue.full.removeFirst()
    }
  }

  fileprivate func takeErrands() -> [Errand] {
    queue.withLock { queue in
      defer { queue.errands = [] }
      return queue.errands
    }
  }

  fileprivate func nextCached() -> StageTask? {
    queue.withLock { $0.cached.isEmpty || !$0.errands.isEmpty ? nil : $0.cached.removeFirst() }
  }

  fileprivate func finishedBlock() { blocksDone.add(1, ordering: .relaxed) }

  fileprivate func finish(_ outcome: StageOutcome) { report(outcome) }
}

extension Stage {
  fileprivate func runErrands(_ runner: StageRunner) {
    for errand in runner.takeErrands() { errand(self) }
  }

  /// - Returns: the time that it took, in microseconds, with what was computed in between.
  @discardableResult
  fileprivate func compute(_ task: StageTask, _ runner: StageRunner) -> Int64 {
    let start = Clock.microseconds
    var others: Int64 = 0
    FaultPoint.reach("stage.compute.before")
    let result: Result<(output: Output?, clusters: WireLabels, signal: Float?), any Error> = Result {
      guard !task.isMeasurement else {
        let signal = try measure(task.context, task.input) { stage in
          runner.finishedBlock()
          stage.runErrands(runner)
        }
        return (nil, WireLabels(), signal)
      }
      let result = try run(task.context, task.input) { stage in
        runner.finishedBlock()
        stage.runErrands(runner)
        guard task.context.kind.isFull else { return }
        while let urgent = runner.nextCached() { others += stage.compute(urgent, runner) }
      }
      guard result.output.isFinite else {
        throw NotANumber(block: try firstBlockWithoutNumbers(task.context, task.input), stage: blocks)
      }
      return (result.output, WireClusters.pack(result.clusters), result.signal)
    }
    FaultPoint.reach("stage.compute.after")
    let whole = Clock.microseconds - start
    runner.finish(
      StageOutcome(
        task: task, result: result.map(\.output), clusters: (try? result.get())?.clusters ?? WireLabels(),
        signal: (try? result.get())?.signal, startMicroseconds: start, microseconds: whole - others,
        cacheBytes: cacheBytes))
    return whole
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
