import Messaging

@testable import RenderCluster

/// What happens in a simulated cluster. Events of a process carry its `life`: they are nothing to the next one.
enum SimulationEvent {
  case coordinatorTick(life: UInt64)
  case toCoordinator(Message, Payload, worker: Int, connection: Int)
  case submit(Int, life: UInt64)
  case cancel(Int)
  case open(Int, life: UInt64)
  case want(Int, life: UInt64)
  case leave(Int, life: UInt64)
  case workerTick(Int, life: Int)
  case connect(Int, life: Int)
  case toWorker(Message, Payload, worker: Int, connection: Int)
  /// By a worker that has acknowledged it already; see `PlantedBug`.
  case processed(Message, Payload, worker: Int, connection: Int)
  case loaded(Int, life: Int, attempt: UInt32)
  case opened(Int, life: Int, SampleKey, attempt: UInt32, condition: UInt64, epoch: UInt64)
  case computed(Int, life: Int, computation: Int)
  case start(Int, life: Int)
  case resume(Int, life: Int)
  case chunk(Message, Payload, line: Int, from: Int, to: Int)
  case chunkAnswer(Message, line: Int, to: Int)
  /// The kernel of the coordinator's machine tells that a connection has ended.
  case disconnected(connection: Int)
  /// Who looks after a worker's process tells that it has ended.
  case gone(Int)
  /// The coordinator's process ends while its disk is busy.
  case crash(life: UInt64)
  /// Somebody who looks after the coordinator's process starts it again.
  case restart
  /// What was written of the journal is forced to the disk.
  case synchronised(life: UInt64)
  case ask(Int)
  /// A client wants its request done, or something done about it.
  case toDesk(Int, JobCommand?)
  case toClient(Int, Message)
  case withdraw(Int, life: UInt64)
  case store(Int, life: UInt64)
  case rendered(Int, life: UInt64)
  case readmit(worker: String)
  case pause(Int, Bool)
  case diskHasRoom
  case fault(FaultRates.Fault)
  case end

  /// Whether the coordinator's process does it.
  var isCoordinators: Bool {
    switch self {
    case .coordinatorTick, .toCoordinator, .submit, .cancel, .open, .want, .leave, .disconnected, .gone, .synchronised,
      .toDesk,
      .withdraw, .store, .rendered, .readmit:
      true
    case .chunk(_, _, _, _, let process), .chunkAnswer(_, _, let process): process == 0
    default: false
    }
  }

  /// The worker that does nothing about it while it is stopped.
  var worker: Int? {
    switch self {
    case .workerTick(let worker, _), .connect(let worker, _), .toWorker(_, _, let worker, _),
      .processed(_, _, let worker, _),
      .loaded(let worker, _, _), .opened(let worker, _, _, _, _, _), .computed(let worker, _, _):
      worker
    case .chunk(_, _, _, _, let process), .chunkAnswer(_, _, let process): process > 0 ? process : nil
    default: nil
    }
  }
}
