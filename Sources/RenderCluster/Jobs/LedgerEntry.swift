import Journaling

/// What a coordinator must not forget: what makes a ``Ledger``, in the order in which it happened.
public enum LedgerEntry: Sendable, Equatable {
  /// A coordinator has begun.
  case began(epoch: UInt64)
  /// A job was accepted; in a snapshot, all that is known of one.
  case job(LedgerJob)
  /// It was let into the stages.
  case entered(job: UInt64)
  /// A worker was lost while it worked for the job; `mark` as in ``LedgerJob/mark``.
  case lost(job: UInt64, worker: String, mark: Int, text: String)
  /// It has got further than ever, which clears it of what was lost.
  case advanced(job: UInt64, mark: Int)
  case paused(job: UInt64)
  case resumed(job: UInt64)
  case prioritised(job: UInt64, Int)
  case ended(job: UInt64, LedgerJob.Ending)
  /// A job that had ended otherwise than done begins anew.
  case requeued(job: UInt64)
  /// A job that had ended is not remembered any more.
  case forgotten(job: UInt64)
  /// A worker gets no blocks until it is readmitted.
  case setAside(worker: String, text: String)
  case readmitted(worker: String)
  /// Jobs up to this number have been: it is not given again.
  case numbered(upTo: UInt64)

  /// The numbers of the kinds in a journal. They stay for ever.
  enum Kind: UInt16 {
    case began = 1
    case job = 2
    case entered = 3
    case lost = 4
    case advanced = 5
    case paused = 6
    case resumed = 7
    case prioritised = 8
    case ended = 9
    case requeued = 10
    case forgotten = 11
    case setAside = 13
    case readmitted = 14
    case numbered = 15
  }

  /// The job that it is about.
  public var job: UInt64? {
    switch self {
    case .began, .setAside, .readmitted, .numbered: nil
    case .job(let job): job.id
    case .entered(let job), .lost(let job, _, _, _), .advanced(let job, _), .paused(let job), .resumed(let job),
      .prioritised(let job, _), .ended(let job, _), .requeued(let job), .forgotten(let job):
      job
    }
  }
}
