import Messaging

@testable import Journaling
@testable import RenderCluster

/// What must hold of a coordinator that remembers.
extension Simulation {
  /// What was told outside is known for ever.
  func checkReplay(_ ledger: Ledger) {
    for (id, index) in acknowledged.sorted(by: { $0.key < $1.key }) where ledger.job(id)?.request != "\(index)" {
      violation("job \(id), which was accepted, is forgotten")
    }
    for (id, ending) in endings.sorted(by: { $0.key < $1.key }) where ledger.job(id)?.ending?.ending != ending {
      violation("job \(id) has ended with \(ending), and has not any more")
    }
    if epoch <= lastEpoch { violation("the epoch \(epoch) is there a second time") }
  }

  /// When everything is on the disk, what would be read is what is known.
  func checkJournal() {
    guard random.chance(0.05), bug == nil else { return }
    do {
      let contents = try Journal.open(disk.copy, segmentBytes: SimulatedJournal.segmentBytes).contents
      let replayed = try Ledger(replaying: contents.snapshot + contents.records)
      if replayed != core.ledger { violation("a replay makes another ledger") }
    } catch {
      violation("the journal cannot be read back: \(error)")
    }
  }

  func checkSending(_ message: Message, to index: Int) {
    if case .accepted = message.body { acknowledged[message.fence.job] = index }
  }

  func checkDelivery(_ job: SimulatedJob, _ entry: LedgerJob, _ ending: JobEnding) {
    switch ending.outcome {
    case .done:
      if job.poison != nil { violation("the poison job \(entry.id) is done") }
      guard let picture = pictures[entry.id] else { return violation("job \(entry.id) is done, and has no picture") }
      if picture != job.referenceFinal { violation("job \(entry.id) has a wrong picture") }
    case .cancelled: if job.client?.wantsCancel != true { violation("job \(entry.id) is cancelled by nobody") }
    case .failed:
      if ending.reason == .quarantined { situations.insert(.poisonGivenUp) }
      if entry.losses > JobRecord.mostLosses { violation("job \(entry.id) has cost \(entry.losses) workers") }
      checkBlame(job, ending)
    }
  }

  func checkLedgerEnd() {
    for (index, job) in jobs.enumerated() where job.client?.told == nil { violation("request \(index) has no end") }
    for index in jobs.indices where core.ledger.jobs.count(where: { $0.request == "\(index)" }) != 1 {
      violation("the request \(index) is not one job")
    }
  }
}
