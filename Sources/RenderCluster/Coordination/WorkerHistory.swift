import Messaging

/// What is remembered of a worker, whether it is here or not.
struct WorkerHistory: Sendable, Equatable {
  /// A pipeline that was lost because of the worker, or in spite of it.
  struct Trouble: Sendable, Equatable {
    /// In milliseconds.
    let time: Int64
    /// Jobs that may be to blame instead.
    let suspects: [UInt64]
  }

  private static let troubleMilliseconds: Int64 = 600_000
  /// Of these the worker is avoided, while there are others.
  private static let mostTroubles = 2

  let name: String
  /// The newest process under this name.
  var incarnation: UInt64 = 0
  /// The newest process that has stopped computing: it is not let in again.
  var hungIncarnation: UInt64?
  private var troubles: [Trouble] = []

  init(name: String) { self.name = name }

  mutating func add(_ trouble: Trouble) {
    if troubles.count >= Self.mostTroubles { troubles.removeFirst() }
    troubles.append(trouble)
  }

  /// A job is to blame for itself: the worker is not.
  mutating func acquit(of job: UInt64) { troubles.removeAll { $0.suspects.contains(job) } }

  /// Whether pipelines are better made of others.
  func isAvoided(now: Int64) -> Bool {
    troubles.count { now - $0.time < Self.troubleMilliseconds } >= Self.mostTroubles
  }
}
