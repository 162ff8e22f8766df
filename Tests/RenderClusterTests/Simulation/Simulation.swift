import Journaling
import Tensors
import Transformers

@testable import Messaging
@testable import RenderCluster

/// A coordinator, workers, jobs and the network between them in one thread, all from a seed. The cores are the product's;
/// their runtimes are models that do as the product's do. Tensors are hashes of all that they depend on.
final class Simulation {
  static let build = "simulation"
  /// Of a block at a full step.
  static let operations = 1000
  private static let weightBytes = 100
  private static let cacheBytes = 10
  private static let transitBytes = 3
  /// Jobs that are not over so long after the last fault never will be.
  private static let patience: Int64 = 600_000_000

  /// When all is over there is nothing left to be sent after this time.
  private static let quietness: Int64 = 8_000_000

  let seed: UInt64
  let bug: PlantedBug?
  private let isLogging: Bool
  var random: SplitMix64
  let rates: FaultRates
  private(set) var now: Int64 = 0
  private var heap = EventHeap<SimulationEvent>()
  private(set) var events = 0

  var core: CoordinatorCore
  var epoch: UInt64 = 1
  /// Counts the coordinator's processes.
  var life: UInt64 = 1
  /// By connection.
  var directory: [Int: Peer] = [:]
  /// Processes that had ended when the coordinator was told of the ends of their connections: when that was, and whose.
  var ends: [(time: Int64, peer: Peer)] = []
  var coordinatorServer = SimulatedTensorServer()
  /// By the number of the pipeline.
  var coordinatorLines: [UInt32: [SimulatedLine]] = [:]
  var workers: [SimulatedWorker] = []
  var jobs: [SimulatedJob] = []
  var openJobs = 0
  /// By number.
  var lines: [Int: SimulatedLine] = [:]
  private var lastLine = 0
  var lastConnection = 0
  /// Until when nothing gets from one process to another.
  private var cuts: [Int64] = []
  /// When the last one ends.
  private(set) var lastCut: Int64 = 0
  /// Nothing reaches the coordinator until then, and it does nothing.
  var coordinatorStopped: Int64 = 0
  var loadFailures = 0
  var situations: Set<Situation> = []
  /// Stages that were assigned, and what may be a reason to.
  var assignments = 0
  var lastAssignment: Int64?
  var reasonsToAssign = 0
  /// Pipelines that each job has been in when they were lost, for a planted bug.
  var sharedLosses: [UInt64: Int] = [:]
  // Of a coordinator that remembers.
  let remembers: Bool
  let disk = SimulatedDisk()
  var journal: SimulatedJournal?
  var held = HeldEffects(hasJournal: false, sequence: 0)
  /// There is no process of the coordinator.
  var isDown = false
  var lastEpoch: UInt64 = 0
  /// By number of the job: what is in the folder for outputs.
  var pictures: [UInt64: UInt64] = [:]
  /// Requests by the number of the job that was accepted, and how jobs have ended, as somebody was told.
  var acknowledged: [UInt64: Int] = [:]
  var endings: [UInt64: JobEnding] = [:]
  /// What must never happen, and did.
  private(set) var failure: String?
  private(set) var trace: [String] = []

  init(seed: UInt64, bug: PlantedBug? = nil, isLogging: Bool = false) {
    self.seed = seed
    self.bug = bug
    self.isLogging = isLogging
    remembers = seed % 4 != 0
    random = SplitMix64(seed: seed)
    rates = FaultRates(&random)
    core = CoordinatorCore(Self.identity(epoch: 1, seed: seed), planning: Self.planning(seed))
    build()
  }

  static func digest(_ number: UInt64) -> Digest { Digest((0..<32).map { $0 == 0 ? UInt8(number) : 7 })! }

  /// In some, snapshots are taken only of jobs that have lost a worker; in others, before every full step.
  private static func identity(epoch: UInt64, waits: Bool = true, seed: UInt64) -> CoordinatorIdentity {
    CoordinatorIdentity(
      epoch: epoch, build: build, numerics: digest(0), outputs: .init(address: "0", key: nil), waitsForWorkers: waits,
      secondsBetweenFailures: seed % 3 == 0 ? CoordinatorIdentity.assumedSecondsBetweenFailures : 0)
  }

  /// The number of a job that a ledger has given none, with its place added.
  static let provisional: UInt64 = 1_000_000

  func makeCore(_ ledger: Ledger = Ledger()) -> CoordinatorCore {
    CoordinatorCore(
      Self.identity(epoch: epoch, waits: remembers || rates.waitsForWorkers, seed: seed),
      planning: Self.planning(seed), ledger: ledger)
  }

  /// The product's planner takes long, so that most seeds have a simpler one.
  private static func planning(_ seed: UInt64) -> Planning {
    if seed % 16 == 0 { return ReplicaPlanner.planning }
    return seed % 2 == 0 ? SimulatedPlanner.plan : SimulatedPlanner.planSideBySide
  }

  private func build() {
    let models = [Self.digest(2), Self.digest(3)]
    let count = random.number(1...5)
    let blocks = random.number(3...6)
    var memory = (0..<count).map { _ in random.number(150...200 + 100 * blocks) }
    let others = random.chance(0.3)
    let facts = (0..<random.number(1...5)).map { _ in
      JobFacts(
        model: ModelKey(digest: models[others ? random.number(0...1) : 0], precision: .float32), modelName: "model",
        rows: random.number(1...2), steps: random.number(1...8),
        blocks: (1...blocks).map { end in
          BlockCost(
            operations: Self.operations, weightBytes: Self.weightBytes, cacheBytes: Self.cacheBytes, stateBytes: 8,
            transitBytes: end < blocks ? Self.transitBytes : 0)
        }, overheadBytes: 20 * random.number(1...2))
    }
    let speeds = (0..<count).map { _ in random.number(20_000...100_000) }
    let holders = (0..<count).map { _ in random.chance(0.5) }
    repeat {
      workers = (0..<count).map { index in
        SimulatedWorker(
          index: index + 1, memoryBytes: memory[index], operationsPerSecond: speeds[index],
          models: !others || holders[index] ? models : [models[0]])
      }
      for index in memory.indices { memory[index] += 50 }
      // Then nobody holds the model.
      if memory[0] > 2000 { return build() }
    } while !facts.allSatisfy { isPossible($0, workers) }
    let poisons = random.chance(0.5) ? 0.25 : 0
    jobs = facts.enumerated().map { index, facts in
      let poison: (Int, Int)? =
        random.chance(poisons) ? (random.number(0...facts.steps - 1), random.number(0...blocks - 1)) : nil
      return SimulatedJob(
        id: UInt64(index + 1), facts: facts, seed: random.next(), hasPrompt: random.chance(0.5), poison: poison,
        numerics: 0)
    }
    openJobs = jobs.count
    reasonsToAssign = 2 + 2 * jobs.count
    cuts = Array(repeating: 0, count: (count + 1) * (count + 1))
    schedule()
    guard remembers else {
      core = makeCore()
      return
    }
    for job in jobs { job.client = SimulatedClient(priority: random.number(-1...1)) }
    disk.hidesFailures = bug == .failedSyncIgnored
    startCoordinator()
  }

  /// Whether workers could do a job.
  func isPossible(_ facts: JobFacts, _ workers: [SimulatedWorker]) -> Bool {
    let capacities = workers.filter { $0.models.contains(facts.model.digest) }.map {
      WorkerCapacity(
        name: $0.name, operationsPerSecond: Double($0.operationsPerSecond), memoryBytes: $0.memoryBytes,
        bytesPerSecond: 1e6)
    }
    guard !capacities.isEmpty else { return false }
    var blocks = facts.blocks
    for index in blocks.indices {
      blocks[index].cacheBytes *= facts.rows
      blocks[index].transitBytes *= facts.rows
    }
    return (try? Self.planning(seed)(blocks, capacities, 1, facts.overheadBytes).get()) != nil
  }

  private func schedule() {
    if !remembers { push(.coordinatorTick(life: life), after: 1000) }
    for worker in workers {
      if random.chance(0.7) {
        launch(worker)
      } else {
        worker.end()
        push(.start(worker.index, life: worker.life), after: random.milliseconds(1...10_000))
      }
    }
    for index in jobs.indices {
      let arrival = random.milliseconds(1...8000)
      if remembers {
        push(.ask(index), after: arrival)
        if random.chance(0.15) {
          let pause = arrival + random.milliseconds(0...8000)
          push(.pause(index, true), after: pause)
          push(.pause(index, false), after: pause + random.milliseconds(1...10_000))
        }
      } else {
        push(.submit(index, life: life), after: arrival)
      }
      if random.chance(0.15) { push(.cancel(index), after: arrival + random.milliseconds(0...8000)) }
    }
    for (time, fault) in rates.faults { heap.push(.fault(fault), at: time) }
    heap.push(.end, at: rates.end)
  }

  // MARK: - Running

  /// - Returns: what must never happen, and did.
  func run() -> String? {
    var quiet: Int64 = 0
    while failure == nil, let (time, event) = heap.pop() {
      now = time
      events += 1
      if openJobs > 0 || now < rates.end || !core.jobs.isEmpty || isDown { quiet = now }
      if now - quiet > Self.quietness { break }
      if now > rates.end + Self.patience {
        violation("jobs never end: \(jobs.filter { !$0.isOver }.map(\.id)), in the core \(core.jobs.map(\.id))")
        break
      }
      if let index = event.worker, workers[index - 1].state == .stopped {
        workers[index - 1].held.append(event)
      } else if isDown, event.isCoordinators {
        continue
      } else if now < coordinatorStopped, event.isCoordinators {
        // In their order: what is put in later at the same time comes later.
        heap.push(event, at: coordinatorStopped)
      } else {
        handle(event)
      }
    }
    if failure == nil { checkEnd() }
    return failure
  }

  private func handle(_ event: SimulationEvent) {
    switch event {
    case .coordinatorTick(let life): if life == self.life { coordinatorTick() }
    case .toCoordinator(let message, let payload, let worker, let connection):
      log("from w\(worker): \(Self.text(message))")
      take(message, payload, workers[worker - 1], connection: connection)
    // A job that was submitted to the coordinator of before is submitted again by the journal.
    case .submit(let job, let life): if life == self.life || jobs[job].state == .future { submit(job) }
    case .cancel(let job): cancel(job)
    case .open(let job, let life): if life == self.life { open(job) }
    case .want(let job, let life): if life == self.life { want(job) }
    case .leave(let job, let life): if life == self.life { leave(job) }
    case .crash(let life): if life == self.life { crashCoordinator() }
    case .restart: startCoordinator()
    case .synchronised(let life): if life == self.life { finishWriting() }
    case .ask(let job): ask(job)
    case .toDesk(let job, let command): takeQuestion(job, command)
    case .toClient(let job, let message): tell(client: job, message)
    case .withdraw(let job, let life): if life == self.life { withdraw(job) }
    case .store(let job, let life): if life == self.life { store(job) }
    case .rendered(let job, let life): if life == self.life { rendered(job) }
    case .readmit(let worker): readmit(worker)
    case .pause(let job, let pauses): jobs[job].client?.wantsPause = pauses
    case .diskHasRoom: disk.isFull = false
    case .fault(let fault): inject(fault)
    case .end: endFaults()
    case .disconnected(let connection): takeEnd(of: connection)
    case .gone(let worker): apply(.gone(worker: workers[worker - 1].name))
    case .start(let worker, let life): startAgain(workers[worker - 1], life)
    case .resume(let worker, let life): resume(workers[worker - 1], life)
    case .chunk(let message, let payload, let line, _, let receiver):
      takeChunk(message, payload, line: line, receiver)
    case .chunkAnswer(let message, let number, _):
      if let line = lines[number] {
        line.take(message, now: now)
        pump(line)
      }
    default: handleAtWorker(event)
    }
  }

  private func handleAtWorker(_ event: SimulationEvent) {
    guard let index = event.worker, workers[index - 1].isUp else { return }
    let worker = workers[index - 1]
    switch event {
    case .workerTick(_, worker.life): tick(worker)
    case .connect(_, worker.life): connect(worker)
    case .toWorker(let message, let payload, _, let connection):
      guard connection == worker.connection, worker.isConnected else { return }
      log("to \(worker.name): \(Self.text(message))")
      take(message, payload, worker)
    case .processed(let message, let payload, _, let connection):
      guard connection == worker.connection, worker.isConnected else { return }
      apply(.message(message, payload), worker)
    case .loaded(_, worker.life, let attempt): finishLoading(attempt, worker)
    case .opened(_, worker.life, let key, let attempt, let condition, let epoch):
      finishOpening(key, attempt, condition: condition, epoch: epoch, worker)
    case .computed(_, worker.life, let computation): finishComputing(computation, worker)
    default: break
    }
  }

  func push(_ event: SimulationEvent, after delay: Int64) { heap.push(event, at: now + delay) }

  func job(_ id: UInt64) -> SimulatedJob? { jobs.first { $0.id == id } }

  // MARK: - Network

  func isCut(from sender: Int, to receiver: Int) -> Bool { cuts[sender * (workers.count + 1) + receiver] > now }

  func cut(from sender: Int, to receiver: Int, for duration: Int64) {
    cuts[sender * (workers.count + 1) + receiver] = now + duration
    lastCut = max(lastCut, now + duration)
  }

  func healCuts() {
    lastCut = min(lastCut, now)
    for index in cuts.indices { cuts[index] = 0 }
  }

  func transmit(_ event: SimulationEvent, from sender: Int, to receiver: Int) {
    guard !isCut(from: sender, to: receiver) else { return }
    let isFaulty = now < rates.end
    if isFaulty, random.chance(rates.loss) { return }
    push(event, after: rates.latency + (isFaulty && random.chance(rates.lateness) ? random.milliseconds(1...3000) : 0))
    if isFaulty, random.chance(rates.duplication) { push(event, after: rates.latency + random.milliseconds(0...500)) }
  }

  func line(from sender: Int, to receiver: Int, as name: String, incarnation: UInt64) -> SimulatedLine {
    lastLine += 1
    let line = SimulatedLine(number: lastLine, from: sender, to: receiver, as: name, incarnation: incarnation)
    lines[lastLine] = line
    return line
  }

  func pump(_ line: SimulatedLine) {
    for (message, payload) in line.due(now: now) {
      log("\(line.peer.name) of w\(line.sender) to w\(line.receiver): \(Self.text(message))")
      transmit(
        .chunk(message, payload, line: line.number, from: line.sender, to: line.receiver), from: line.sender,
        to: line.receiver)
    }
  }

  private func takeChunk(_ message: Message, _ payload: Payload, line number: Int, _ receiver: Int) {
    let worker = receiver > 0 ? workers[receiver - 1] : nil
    guard worker?.isUp ?? true, let line = lines[number] else { return }
    let server = worker?.server ?? coordinatorServer
    guard server.hears(line, now: now) else { return log("\(line.peer.name) of w\(line.sender) is outdated") }
    let (answer, arrival) = server.take(message, payload)
    let outcome = arrival == nil ? answer == nil ? "is not expected" : "is known" : "is complete"
    log("at w\(receiver): \(Self.text(message)) \(outcome)")
    if let answer {
      transmit(.chunkAnswer(answer, line: number, to: line.sender), from: receiver, to: line.sender)
    }
    if bug == .lateOutputsTaken, worker == nil, case .chunk(let chunk) = message.body {
      return takeOutput(TensorInbox.Arrival(plan: chunk.plan, fence: message.fence, payload: payload))
    }
    guard let arrival else { return }
    if let worker { take(arrival, worker) } else { takeOutput(arrival) }
  }

  // MARK: - Telling

  func log(_ text: @autoclosure () -> String) {
    if isLogging { trace.append("\(Double(now / 1000) / 1000) \(text())") }
  }

  private static func text(_ message: Message) -> String {
    let fence = message.fence
    let place = "job \(fence.job).\(fence.row) attempt \(fence.attempt) step \(fence.step)"
    let number = fence.sequence > 0 ? " #\(fence.sequence >> 32):\(UInt32(truncatingIfNeeded: fence.sequence))" : ""
    return switch message.body {
    case .received(let receipt):
      "received \(receipt.acknowledged >> 32):\(UInt32(truncatingIfNeeded: receipt.acknowledged))"
    case .heartbeat(let heartbeat): "heartbeat \(heartbeat.heard) \(heartbeat.progress) \(heartbeat.block)"
    default: "\(message.kind) \(place)\(number)"
    }
  }

  func violation(_ text: String) {
    guard failure == nil else { return }
    log("VIOLATION: \(text)")
    failure = text
  }
}
