import Messaging
import Tensors

@testable import RenderCluster

/// A worker's process: its core, and what `Worker` and `StageRunner` do about its effects.
final class SimulatedWorker {
  enum State: Equatable {
    case running
    /// Answers, but computes nothing any more.
    case hung
    /// By a signal.
    case stopped
    case down
  }

  struct Stage {
    var attempt: UInt32
    let number: UInt32
    var epoch: UInt64
    let blocks: Range<Int>
    let line: SimulatedLine
  }

  struct Sample {
    let key: SampleKey
    /// Of its opening: attempts are numbered anew in each epoch.
    let id: Int
    var epoch: UInt64
    var attempt: UInt32
    let hasPrompt: Bool
    let settings: UInt64
    var input: UInt64?
    /// With what it begins, by block; nil for what has not come.
    var restoring: [Int: UInt64?]?
    /// The next to be computed.
    var step: UInt32 = 0
    /// What the last stage has handed on last.
    var lastOutput: (step: UInt32, value: UInt64)?
  }

  struct Cached {
    let key: SampleKey
    let id: Int
    var cache: SimulatedCache
  }

  struct Task {
    let key: SampleKey
    let id: Int
    let step: UInt32
    let order: StepOrder
    let labels: UInt16
    let input: UInt64
  }

  let index: Int
  let name: String
  let memoryBytes: Int
  let operationsPerSecond: Int
  let models: [Digest]
  var state = State.running
  /// Counts the processes of this name.
  var life = 0
  var numerics: UInt64 = 0
  var core = WorkerCore()
  var server = SimulatedTensorServer()
  var stage: Stage?
  var loading: (assignment: Assignment, attempt: UInt32, number: UInt32, epoch: UInt64)?
  var samples: [Sample] = []
  var openings = 0
  var caches: [Cached] = []
  var queue: [Task] = []
  var snapshots: [(key: SampleKey, attempt: UInt32, step: UInt32, chain: [Int: UInt64])] = []
  var resultLine: SimulatedLine?
  var running: Task?
  /// Counts computations, so that those of a stage that is gone are told from others.
  var computation = 0
  var computationStart: Int64 = 0
  var computationEnd: Int64 = 0
  var finishedBlocks: UInt64 = 0
  var helloSent: Int64?
  var connection = 0
  var isConnected = false
  /// When its process was.
  var started: Int64 = 0
  /// When something last happened to it or its connection for which the coordinator may miss it.
  var troubled: Int64 = 0
  var isSlow = false
  var isDraining = false
  /// Of the machine, so that it does not end with the process.
  var isFlaky = false
  var isRemoved = false
  /// Nothing reaches it and it does nothing until then; what comes meanwhile.
  var held: [SimulationEvent] = []
  var newestOpening: (epoch: UInt64, attempt: UInt32)?

  /// Messages that the planted bug has numbered anew.
  var numbered: UInt64 = 0

  init(index: Int, memoryBytes: Int, operationsPerSecond: Int, models: [Digest]) {
    self.index = index
    name = "w\(index)"
    self.memoryBytes = memoryBytes
    self.operationsPerSecond = operationsPerSecond
    self.models = models
  }

  /// Starts another process.
  func start(numerics: UInt64) {
    life += 1
    state = .running
    self.numerics = numerics
    core = WorkerCore()
    server = SimulatedTensorServer()
    (stage, loading, running, helloSent) = (nil, nil, nil, nil)
    newestOpening = nil
    (samples, caches, queue, held) = ([], [], [], [])
    (snapshots, resultLine) = ([], nil)
    computation += 1
    finishedBlocks = 0
    isConnected = false
    isSlow = false
    isDraining = false
    numbered = 0
  }

  func end() {
    state = .down
    isConnected = false
    held = []
  }

  var isUp: Bool { state != .down }

  func sample(_ key: SampleKey, _ attempt: UInt32) -> Int? {
    samples.firstIndex { $0.key == key && $0.attempt == attempt }
  }

  /// What the stage keeps of a sample.
  func cache(_ key: SampleKey, _ attempt: UInt32) -> Int? {
    sample(key, attempt).flatMap { sample in caches.firstIndex { $0.id == samples[sample].id } }
  }

  /// As the thread that computes counts them.
  func progress(now: Int64) -> UInt64 {
    guard running != nil, let blocks = stage?.blocks.count, computationEnd > computationStart else {
      return finishedBlocks
    }
    let part = min(now, computationEnd) - computationStart
    return finishedBlocks + UInt64(Int64(blocks) * part / (computationEnd - computationStart))
  }

  func hello() -> Message {
    Message(
      .hello(
        Hello(
          build: Simulation.build, role: .worker, name: name, incarnation: UInt64(life),
          numerics: Simulation.digest(numerics), threads: 1, memoryBytes: UInt64(memoryBytes), models: models,
          address: "\(index)", operationsPerSecond: UInt64(operationsPerSecond))))
  }
}
