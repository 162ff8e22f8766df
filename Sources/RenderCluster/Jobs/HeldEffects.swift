import Journaling

/// Effects that wait for what they follow from to be on the disk: nobody may see what a crash could undo.
struct HeldEffects: Sendable {
  private var waiting: [(sequence: UInt64, effect: CoordinatorEffect)] = []
  private var first = 0
  /// Of the last record that was handed over to be written.
  private(set) var appended: UInt64
  /// Of the last record that is on the disk.
  var durable: UInt64
  /// Without a journal nothing waits.
  let hasJournal: Bool
  /// Of the last record of the coordinator before.
  private let start: UInt64

  init(hasJournal: Bool, sequence: UInt64) {
    self.hasJournal = hasJournal
    start = sequence
    (appended, durable) = (sequence, sequence)
  }

  /// Takes what a core says.
  ///
  /// - Returns: what is to be written, and what is to be done whatever waits.
  mutating func take(_ effects: [CoordinatorEffect]) -> (records: [JournalRecord], atOnce: [CoordinatorEffect]) {
    var records: [JournalRecord] = []
    var atOnce: [CoordinatorEffect] = []
    for effect in effects {
      switch effect {
      case .record(let entry, let date):
        guard hasJournal else { continue }
        records.append(entry.record(date: date))
        appended += 1
      // A slow disk must not cost workers their lease; and a heartbeat tells of nothing that could be lost, once the epoch
      // is on the disk.
      case .send(let message, _, _) where message.kind == .heartbeat && (durable > start || !hasJournal):
        atOnce.append(effect)
      default: waiting.append((appended, effect))
      }
    }
    return (records, atOnce)
  }

  /// The next effect that waits for nothing any more.
  mutating func next() -> CoordinatorEffect? {
    guard first < waiting.count else {
      waiting.removeAll(keepingCapacity: true)
      first = 0
      return nil
    }
    guard waiting[first].sequence <= durable else {
      // Under a steady load there is always something that waits: what is done must not pile up in front of it.
      if first > waiting.count / 2 {
        waiting.removeFirst(first)
        first = 0
      }
      return nil
    }
    defer { first += 1 }
    return waiting[first].effect
  }
}
