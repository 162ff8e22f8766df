import Synchronization

/// The events that a handler was told, and waiting for one. Tests that wait carry a time limit.
final class EventLog<Event: Sendable>: Sendable {
  private struct State {
    var events: [Event] = []
    var waiting: [(matches: @Sendable (Event) -> Bool, continuation: CheckedContinuation<Event, Never>)] = []
  }

  private let state = Mutex(State())

  var events: [Event] { state.withLock { $0.events } }

  func add(_ event: Event) {
    let resumed = state.withLock { state in
      state.events.append(event)
      let resumed = state.waiting.filter { $0.matches(event) }
      state.waiting.removeAll { $0.matches(event) }
      return resumed
    }
    for waiting in resumed { waiting.continuation.resume(returning: event) }
  }

  /// The first event, past or to come, that `matches`; only those behind the first `skipping` are looked at.
  func first(skipping count: Int = 0, where matches: @escaping @Sendable (Event) -> Bool) async -> Event {
    await withCheckedContinuation { continuation in
      let found = state.withLock { state in
        let found = state.events.dropFirst(count).first(where: matches)
        if found == nil { state.waiting.append((matches, continuation)) }
        return found
      }
      if let found { continuation.resume(returning: found) }
    }
  }
}
