import Messaging

@testable import RenderCluster

/// What happens in a simulated cluster. Events of a process carry its `life`: they are nothing to the next one.
enum SimulationEvent {
  case coordinatorTick(life: UInt64)
  case toCoordinator(Message, Payload, worker: Int, connection: Int)
  case submit(Int)
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
  case fault(FaultRates.Fault)
  case end

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
