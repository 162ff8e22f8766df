import Journaling
import Messaging
import StrictJSON

/// Entries as records of a journal: JSON, so that keys may be added and a person can read them. A key that is unknown is
/// passed over; a kind that is unknown is not.
extension LedgerEntry {
  /// Why a record makes no entry.
  public struct Unreadable: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
  }

  func record(date: UInt64) -> JournalRecord {
    let (kind, json) = encoded
    return JournalRecord(type: kind.rawValue, date: date, payload: Array(JSONValue.object(json).text().utf8))
  }

  private var encoded: (Kind, JSONObject) {
    switch self {
    case .began(let epoch): (.began, ["epoch": .number(of: epoch)])
    case .job(let job): (.job, job.json)
    case .entered(let job): (.entered, ["job": .number(of: job)])
    case .lost(let job, let worker, let mark, let text):
      (.lost, ["job": .number(of: job), "worker": .string(worker), "mark": .integer(mark), "text": .string(text)])
    case .advanced(let job, let mark): (.advanced, ["job": .number(of: job), "mark": .integer(mark)])
    case .paused(let job): (.paused, ["job": .number(of: job)])
    case .resumed(let job): (.resumed, ["job": .number(of: job)])
    case .prioritised(let job, let priority):
      (.prioritised, ["job": .number(of: job), "priority": .integer(priority)])
    case .ended(let job, let ending): (.ended, ["job": .number(of: job), "ending": .object(ending.json)])
    case .requeued(let job): (.requeued, ["job": .number(of: job)])
    case .forgotten(let job): (.forgotten, ["job": .number(of: job)])
    case .setAside(let worker, let text): (.setAside, ["worker": .string(worker), "text": .string(text)])
    case .readmitted(let worker): (.readmitted, ["worker": .string(worker)])
    case .numbered(let job): (.numbered, ["job": .number(of: job)])
    }
  }

  /// - Throws: ``Unreadable``.
  init(_ record: JournalRecord) throws(Unreadable) {
    guard let kind = Kind(rawValue: record.type) else {
      throw Unreadable(description: "is of the kind \(record.type), which only a newer clusca knows")
    }
    let value: JSONValue
    do {
      value = try JSONValue(parsing: record.payload)
    } catch {
      throw Unreadable(description: "is no JSON: \(error)")
    }
    guard let entry = Self.entry(kind, value) else { throw Unreadable(description: "lacks a part") }
    self = entry
  }

  private static func entry(_ kind: Kind, _ json: JSONValue) -> LedgerEntry? {
    let job = json["job"]?.unsigned
    let worker = json["worker"]?.string
    switch kind {
    case .began: return json["epoch"]?.unsigned.map { .began(epoch: $0) }
    case .job: return LedgerJob(json).map { .job($0) }
    case .entered: return job.map { .entered(job: $0) }
    case .lost:
      guard let job, let worker, let mark = json["mark"]?.count, let text = json["text"]?.string else { return nil }
      return .lost(job: job, worker: worker, mark: mark, text: text)
    case .advanced:
      guard let job, let mark = json["mark"]?.count else { return nil }
      return .advanced(job: job, mark: mark)
    case .paused: return job.map { .paused(job: $0) }
    case .resumed: return job.map { .resumed(job: $0) }
    case .prioritised:
      guard let job, let priority = json["priority"]?.priority else { return nil }
      return .prioritised(job: job, priority)
    case .ended:
      guard let job, let ending = json["ending"].flatMap(LedgerJob.Ending.init) else { return nil }
      return .ended(job: job, ending)
    case .requeued: return job.map { .requeued(job: $0) }
    case .forgotten: return job.map { .forgotten(job: $0) }
    case .setAside:
      guard let worker, let text = json["text"]?.string else { return nil }
      return .setAside(worker: worker, text: text)
    case .readmitted: return worker.map { .readmitted(worker: $0) }
    case .numbered: return job.map { .numbered(upTo: $0) }
    }
  }
}

extension JSONValue {
  /// Numbers beyond those of `Int` are none of ours.
  static func number(of value: UInt64) -> JSONValue { .integer(Int(clamping: value)) }

  /// How many there are of something, with room for more.
  var count: Int? { int.flatMap { Int32(exactly: $0) }.flatMap { $0 < 0 ? nil : Int($0) } }

  var priority: Int? { int.flatMap { LedgerJob.priorities.contains($0) ? $0 : nil } }

  var unsigned: UInt64? { int.flatMap { UInt64(exactly: $0) } }
}
