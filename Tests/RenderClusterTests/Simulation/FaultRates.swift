/// What goes wrong in a simulation, and how often: drawn from its seed.
struct FaultRates {
  enum Fault: CaseIterable {
    case crash
    /// Does not compute any more, but answers.
    case hang
    /// As by SIGSTOP; goes on later, with all that was sent to it.
    case stop
    case slow
    case cut
    case cutOneWay
    case cutTensors
    case breakConnection
    /// A connection is taken for one that has ended.
    case falseNotice
    case drain
    case restartCoordinator
    case stopCoordinator
    /// The process that takes a worker's place is of another class of numerics.
    case otherNumerics
    /// Dies again and again while it computes.
    case flakiness
    /// There is no room on the coordinator's disk.
    case fillDisk
    /// The coordinator's disk cannot write what it was given.
    case failSync
    /// Goes for good, if the others can do all jobs.
    case removal
  }

  let loss: Double
  let duplication: Double
  /// Messages that take far longer than others.
  let lateness: Double
  let loadFailure: Double
  /// Ends of processes that the coordinator is told about.
  let notices: Double
  /// Ends of connections that the coordinator is told about, and of these such as are taken for another's.
  let connectionNotices: Double
  let wrongNotices: Double
  let waitsForWorkers: Bool
  let latency: Int64
  let crashBetweenEffects: Double
  let crashWhileWriting: Double
  /// Snapshots for which the coordinator has no room.
  let snapshotLoss: Double
  /// When each happens.
  let faults: [(time: Int64, fault: Fault)]
  /// Nothing goes wrong later.
  let end: Int64

  init(_ random: inout SplitMix64) {
    loss = random.rate(upTo: 0.1)
    duplication = random.rate(upTo: 0.2)
    lateness = random.rate(upTo: 0.1)
    loadFailure = random.chance(0.1) ? 0.1 : 0
    notices = random.rate(upTo: 1)
    connectionNotices = random.rate(upTo: 1)
    wrongNotices = random.rate(upTo: 0.5)
    waitsForWorkers = !random.chance(0.1)
    latency = random.milliseconds(1...30)
    crashBetweenEffects = random.chance(0.2) ? 0.003 : 0
    crashWhileWriting = random.chance(0.2) ? 0.05 : 0
    snapshotLoss = random.chance(0.1) ? 0.3 : 0
    end = random.milliseconds(5000...25000)
    let kinds = Fault.allCases.filter { _ in random.chance(0.4) }
    let count = kinds.isEmpty ? 0 : random.number(0...12)
    var faults: [(time: Int64, fault: Fault)] = []
    for _ in 0..<count {
      faults.append((random.milliseconds(100...Int(end / 1000)), kinds[random.number(0...kinds.count - 1)]))
    }
    self.faults = faults
  }
}
