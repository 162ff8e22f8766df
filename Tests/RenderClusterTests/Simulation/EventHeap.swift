/// What will happen, by time; what happens at the same time, in the order in which it was put in.
struct EventHeap<Event> {
  private struct Entry {
    let time: Int64
    let order: UInt64
    let slot: Int

    func isBefore(_ other: Entry) -> Bool { time != other.time ? time < other.time : order < other.order }
  }

  private var entries: [Entry] = []
  /// Events lie still while their entries move.
  private var events: [Event?] = []
  private var free: [Int] = []
  private var last: UInt64 = 0

  mutating func push(_ event: Event, at time: Int64) {
    last += 1
    let slot = free.popLast() ?? events.count
    if slot == events.count { events.append(event) } else { events[slot] = event }
    entries.append(Entry(time: time, order: last, slot: slot))
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].isBefore(entries[parent]) else { break }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> (time: Int64, event: Event)? {
    guard let first = entries.first, let event = events[first.slot] else { return nil }
    events[first.slot] = nil
    free.append(first.slot)
    let moved = entries.removeLast()
    if !entries.isEmpty {
      entries[0] = moved
      sink()
    }
    return (first.time, event)
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && entries[child].isBefore(entries[least]) {
        least = child
      }
      guard least != parent else { return }
      entries.swapAt(parent, least)
      parent = least
    }
  }
}
