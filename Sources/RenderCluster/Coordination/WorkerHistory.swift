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
  /// With so many different jobs a worker may be lost before it is set aside.
  private static let mostJobs = 3
  private static let rememberedTroubles = 12

  let name: String
  /// The newest process under this name.
  var incarnation: UInt64 = 0
  /// The newest process that has stopped computing: it is not let in again.
  var hungIncarnation: UInt64?
  /// The newest process that obeys a coordinator which was started later.
  var disobedientIncarnation: UInt64?
  private var troubles: [Trouble] = []

  init(name: String) { self.name = name }

  mutating func add(_ trouble: Trouble) {
    if troubles.count >= Self.rememberedTroubles { troubles.removeFirst() }
    troubles.append(trouble)
  }

  /// A job is to blame for itself: the worker is not.
  ///
  /// - Returns: whether it had been blamed.
  mutating func acquit(of job: UInt64) -> Bool {
    let count = troubles.count
    troubles.removeAll { $0.suspects.contains(job) }
    return troubles.count < count
  }

  mutating func clear() { troubles = [] }

  /// As many different jobs as are too many, each a suspect of a trouble of its own; nil if there are fewer.
  ///
  /// - Parameter now: troubles that are ten minutes old do not count any more; nil if all do.
  func differentJobs(now: Int64?) -> [UInt64]? {
    let counted = troubles.filter { trouble in now.map { $0 - trouble.time < Self.troubleMilliseconds } ?? true }
    var found: [UInt64] = []
    func choose(from place: Int) -> Bool {
      guard found.count < Self.mostJobs else { return true }
      for index in counted.indices[place...] {
        for job in counted[index].suspects where !found.contains(job) {
          found.append(job)
          if choose(from: index + 1) { return true }
          found.removeLast()
        }
      }
      return false
    }
    return choose(from: 0) ? found : nil
  }

  /// Jobs that may be to blame for each of the troubles of the last ten minutes.
  func commonSuspects(now: Int64) -> [UInt64] {
    let counted = troubles.filter { now - $0.time < Self.troubleMilliseconds }
    return counted.first?.suspects.filter { job in counted.allSatisfy { $0.suspects.contains(job) } } ?? []
  }

  /// Whether pipelines are better made of others.
  func isAvoided(now: Int64) -> Bool {
    troubles.count { now - $0.time < Self.troubleMilliseconds } >= Self.mostTroubles
  }
}
