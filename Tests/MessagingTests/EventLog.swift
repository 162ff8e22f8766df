import Synchronization

/// The events that a handler was told, and waiting for one. Tests that wait carry a time limit, which ends the waiting.
final class EventLog<Event: Sendable>: Sendable {
  private struct State {
    var events: [Event] = []
    var waiting: [Int: Waiting] = [:]
    var waited = 0
    var cancelled: Set<Int> = []
  }

  private struct Waiting {
    let matches: @Sendable (Event) -> Bool
    let continuation: CheckedContinuation<Event, any Error>
  }

  private let state = Mutex(State())

  var events: [Event] { state.withLock { $0.events } }

  func add(_ event: Event) {
    let resumed = state.withLock { state in
      state.events.append(event)
      let resumed = state.waiting.filter { $0.value.matches(event) }
      for id in resumed.keys { state.waiting[id] = nil }
      return resumed.values
    }
    for waiting in resumed { waiting.continuation.resume(returning: event) }
  }

  /// The first event, past or to come, that `matches`; only those behind the first `skipping` are looked at.
  ///
  /// - Throws: `CancellationError`, as when the test's time is up.
  func first(skipping count: Int = 0, where matches: @escaping @Sendable (Event) -> Bool) async throws -> Event {
    let id = state.withLock { state in
      state.waited += 1
      return state.waited
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome: Result<Event, any Error>? = state.withLock { state in
          if let found = state.events.dropFirst(count).first(where: matches) { return .success(found) }
          if state.cancelled.contains(id) { return .failure(CancellationError()) }
          state.waiting[id] = Waiting(matches: matches, continuation: continuation)
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      let waiting = state.withLock { state in
        state.cancelled.insert(id)
        return state.waiting.removeValue(forKey: id)
      }
      waiting?.continuation.resume(throwing: CancellationError())
    }
  }
}
