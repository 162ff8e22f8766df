import Messaging

@testable import RenderCluster

/// What goes wrong with processes and the network.
extension Simulation {
  func inject(_ fault: FaultRates.Fault) {
    let worker = workers[random.number(0...workers.count - 1)]
    log("fault: \(fault) at \(worker.name)")
    if fault != .slow, fault != .drain { blameFaults() }
    let duration = random.milliseconds(500...15_000)
    switch fault {
    case .crash: crash(worker, restarts: random.chance(0.7))
    case .hang: if worker.state == .running { worker.state = .hung }
    case .stop:
      guard worker.state == .running else { return }
      worker.state = .stopped
      push(.resume(worker.index, life: worker.life), after: min(duration, max(1, rates.end - now)))
    case .slow: worker.isSlow = true
    case .cut, .cutOneWay:
      let isToWorker = random.chance(0.5)
      if fault == .cut || isToWorker { cut(from: 0, to: worker.index, for: duration) }
      if fault == .cut || !isToWorker { cut(from: worker.index, to: 0, for: duration) }
      if random.chance(0.3) { disconnect(worker) }
    case .cutTensors:
      let other = workers[random.number(0...workers.count - 1)]
      if other !== worker { cut(from: worker.index, to: other.index, for: duration) }
    case .breakConnection: disconnect(worker)
    case .falseNotice: push(.disconnected(connection: worker.connection), after: 0)
    case .drain:
      guard worker.state == .running || worker.state == .hung else { return }
      worker.isDraining = true
      apply(.drain, worker)
    case .restartCoordinator: restartCoordinator()
    case .stopCoordinator: coordinatorStopped = max(coordinatorStopped, min(now + duration, rates.end))
    case .fillDisk:
      disk.isFull = true
      push(.diskHasRoom, after: min(duration, max(1, rates.end - now)))
    case .failSync: disk.failsNext = true
    case .flakiness: worker.isFlaky = true
    case .removal:
      let others = workers.filter { !$0.isRemoved && $0 !== worker }
      guard jobs.allSatisfy({ isPossible($0.facts, others) }) else { return }
      worker.isRemoved = true
      end(worker)
    case .otherNumerics:
      guard worker.isUp else { return }
      end(worker)
      launch(worker, numerics: 1)
    }
  }

  /// Jobs that run may be blamed for what happens to workers.
  func blameFaults() {
    for job in jobs where job.state == .started { job.misfortunes += 1 }
  }

  /// From now on all is well; what is down comes up.
  func endFaults() {
    log("faults end")
    healCuts()
    disk.isFull = false
    for worker in workers { (worker.isSlow, worker.isFlaky) = (false, false) }
  }

  func readmit(_ worker: String) {
    var admin = peer(ofClient: 0)
    admin.role = .admin
    apply(.command(.readmit(worker: worker), from: Asker(admin, sequence: 0)))
  }

  func startAgain(_ worker: SimulatedWorker, _ life: Int) {
    guard worker.life == life, !worker.isUp, !worker.isRemoved else { return }
    log("\(worker.name) is started")
    launch(worker)
  }

  func resume(_ worker: SimulatedWorker, _ life: Int) {
    guard worker.life == life, worker.state == .stopped else { return }
    log("\(worker.name) goes on")
    worker.state = .running
    worker.troubled = now
    let held = worker.held
    worker.held = []
    for event in held { push(event, after: 0) }
  }
}
