import Journaling
import Messaging

/// All jobs that were accepted, and the workers that are set aside: a value that its entries make, one after the other, the
/// same whether they happen now or are read from a journal.
public struct Ledger: Sendable, Equatable {
  private struct Owner: Sendable, Hashable {
    let client: String
    let key: [UInt8]
  }

  /// Workers that get no blocks, by name, and why.
  public struct SetAside: Sendable, Equatable {
    public var worker: String
    /// Microseconds since 1970.
    public var date: UInt64
    public var text: String
  }

  /// Of the coordinator that began last; 0 before the first.
  public private(set) var epoch: UInt64 = 0
  /// By number.
  public private(set) var jobs: [LedgerJob] = []
  /// Those that have not ended, by number.
  public private(set) var open: [UInt64] = []
  /// When a coordinator last began with it, in microseconds since 1970.
  private(set) var began: UInt64 = 0
  /// Of each client with such jobs.
  private(set) var openLoads: [String: ClientLoad] = [:]
  /// Those of the open ones that are not paused.
  private(set) var lines = JobLines()
  public private(set) var lastJob: UInt64 = 0
  public private(set) var setAside: [SetAside] = []
  private var owners: [Owner: UInt64] = [:]

  public init() {}

  /// - Throws: which record makes no sense, counted from 1.
  public init(replaying records: [JournalRecord]) throws(LedgerError) {
    self.init()
    for (index, record) in records.enumerated() {
      do {
        // Little depends on dates, so that one which JSON does not hold is no reason to refuse a journal.
        apply(try LedgerEntry(record), date: min(record.date, UInt64(Int.max)))
      } catch {
        throw LedgerError(record: index + 1, reason: error.description)
      }
    }
  }

  public func job(_ id: UInt64) -> LedgerJob? { index(of: id).map { jobs[$0] } }

  /// The job of a request that may come again.
  public func job(of client: String, key: [UInt8]) -> LedgerJob? {
    owners[Owner(client: client, key: key)].flatMap { job($0) }
  }

  private func index(of id: UInt64) -> Int? {
    let place = place(for: id)
    return place < jobs.count && jobs[place].id == id ? place : nil
  }

  private func place(for id: UInt64) -> Int { jobs.partitioningIndex { $0.id >= id } }

  // MARK: - Entries

  /// What is impossible changes nothing: of two endings the first stays.
  public mutating func apply(_ entry: LedgerEntry, date: UInt64) {
    switch entry {
    case .began(let epoch):
      self.epoch = max(self.epoch, epoch)
      began = date
    case .job(let job): add(job)
    case .numbered(let job): lastJob = max(lastJob, job)
    case .setAside(let worker, let text):
      setAside.removeAll { $0.worker == worker }
      let place = setAside.partitioningIndex { $0.worker >= worker }
      setAside.insert(SetAside(worker: worker, date: date, text: text), at: place)
    case .readmitted(let worker): setAside.removeAll { $0.worker == worker }
    default:
      if let index = entry.job.flatMap({ index(of: $0) }) { change(index, entry, date) }
    }
  }

  private mutating func add(_ job: LedgerJob) {
    let place = place(for: job.id)
    let owner = Owner(client: job.client, key: job.key)
    guard place == jobs.count || jobs[place].id != job.id, owners[owner] == nil else { return }
    jobs.insert(job, at: place)
    owners[owner] = job.id
    lastJob = max(lastJob, job.id)
    if job.ending == nil { open(jobs[place]) }
    if let place = job.place { lines.insert(place) }
  }

  private mutating func open(_ job: LedgerJob) {
    open.insert(job.id, at: open.partitioningIndex { $0 >= job.id })
    openLoads[job.client, default: ClientLoad()].add(job)
  }

  private mutating func close(_ job: LedgerJob) {
    open.remove(at: open.partitioningIndex { $0 >= job.id })
    openLoads[job.client]?.remove(job)
    if openLoads[job.client]?.jobs == 0 { openLoads[job.client] = nil }
  }

  private mutating func change(_ index: Int, _ entry: LedgerEntry, _ date: UInt64) {
    if case .forgotten = entry { return forget(index) }
    let before = jobs[index].place
    modify(index, entry, date)
    let after = jobs[index].place
    guard before != after else { return }
    if let before { lines.remove(before) }
    if let after { lines.insert(after) }
  }

  private mutating func forget(_ index: Int) {
    guard jobs[index].ending != nil else { return }
    let job = jobs.remove(at: index)
    owners[Owner(client: job.client, key: job.key)] = nil
  }

  private mutating func modify(_ index: Int, _ entry: LedgerEntry, _ date: UInt64) {
    let isOpen = jobs[index].ending == nil
    switch entry {
    case .entered where isOpen: jobs[index].attempts += 1
    case .lost(_, let worker, let mark, let text) where isOpen:
      jobs[index].mark = max(jobs[index].mark, mark)
      jobs[index].losses += 1
      if jobs[index].troubles.count >= LedgerJob.rememberedTroubles { jobs[index].troubles.removeFirst() }
      jobs[index].troubles.append(.init(date: date, worker: worker, step: mark + 1, text: text))
    case .advanced(_, let mark) where isOpen:
      jobs[index].mark = max(jobs[index].mark, mark)
      jobs[index].losses = 0
    case .paused where isOpen: jobs[index].isPaused = true
    case .resumed where isOpen: jobs[index].isPaused = false
    case .prioritised(_, let priority): jobs[index].priority = priority
    case .ended(_, let ending) where isOpen:
      jobs[index].ending = ending
      jobs[index].isPaused = false
      close(jobs[index])
    case .requeued where !isOpen && jobs[index].ending?.ending.outcome != .done:
      jobs[index].ending = nil
      (jobs[index].losses, jobs[index].mark) = (0, 0)
      jobs[index].requeues += 1
      open(jobs[index])
    default: break
    }
  }

  /// Entries that make a ledger equal to this one, with the dates that belong to them.
  public var snapshot: [JournalRecord] {
    [LedgerEntry.began(epoch: epoch).record(date: began), LedgerEntry.numbered(upTo: lastJob).record(date: 0)]
      + jobs.map { LedgerEntry.job($0).record(date: $0.accepted) }
      + setAside.map { LedgerEntry.setAside(worker: $0.worker, text: $0.text).record(date: $0.date) }
  }
}

/// What a client's jobs that have not ended come to.
struct ClientLoad: Sendable, Equatable {
  private(set) var jobs = 0
  /// Of their requests.
  private(set) var requestBytes = 0

  mutating func add(_ job: LedgerJob) {
    jobs += 1
    requestBytes += job.request.utf8.count
  }

  mutating func remove(_ job: LedgerJob) {
    jobs -= 1
    requestBytes -= job.request.utf8.count
  }
}

/// A record of a journal that makes no sense, although it is whole.
public struct LedgerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// From 1.
  public let record: Int
  public let reason: String

  public var description: String { "record \(record) \(reason)" }
}

extension Array {
  /// The first place at which `isBehind` holds; before it, it does nowhere, and behind it everywhere.
  func partitioningIndex(where isBehind: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
