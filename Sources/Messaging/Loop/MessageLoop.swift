import CZeroMQ
import Glibc
import Synchronization

/// A thread that owns sockets. Everybody else hands it work, which it does between messages.
///
/// ZeroMQ's sockets are not safe to use from several threads, and waiting for them would block Swift's own threads, of which
/// there are few. The thread ends with ``stop()``, or when nobody has the loop any more.
public final class MessageLoop: Sendable {
  private let shared: Shared

  /// What the thread and its users have in common.
  private final class Shared: Sendable {
    struct State {
      var work: [@Sendable (LoopThread) -> Void] = []
      var isStopping = false
    }

    let state = Mutex(State())
    let wakeUp: WakeUp
    let ended = FirstValue<Void>()

    init() throws(SocketError) { wakeUp = try WakeUp() }

    func stop() {
      state.withLock { $0.isStopping = true }
      wakeUp.signal()
    }
  }

  /// Starts the thread.
  public init() throws(SocketError) {
    let shared = try Shared()
    self.shared = shared
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(shared)
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        MessageLoop.runThread(Unmanaged<Shared>.fromOpaque(argument).takeRetainedValue())
        return nil
      }, argument.toOpaque())
    guard code == 0 else {
      argument.release()
      throw SocketError("Starting a thread", code: code)
    }
    pthread_detach(thread)
  }

  deinit { shared.stop() }

  private static func runThread(_ shared: Shared) {
    do {
      let thread = LoopThread(wakeUp: shared.wakeUp)
      while true {
        let (work, isStopping) = shared.state.withLock { state in
          defer { state.work = [] }
          return (state.work, state.isStopping)
        }
        for body in work { body(thread) }
        if isStopping { break }
        thread.waitAndServe()
      }
      thread.end()
    }
    // Sockets are closed and contexts ended by now.
    shared.ended.set(())
  }

  /// Hands work to the thread; false if it is stopping, when the work is never done.
  @discardableResult
  public func post(_ work: @escaping @Sendable (LoopThread) -> Void) -> Bool {
    let isTaken = shared.state.withLock { state in
      if !state.isStopping { state.work.append(work) }
      return !state.isStopping
    }
    if isTaken { shared.wakeUp.signal() }
    return isTaken
  }

  /// Does work on the thread and waits for its result.
  public func run<Value: Sendable>(_ work: @escaping @Sendable (LoopThread) throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      let isTaken = post { thread in continuation.resume(with: Result { try work(thread) }) }
      if !isTaken { continuation.resume(throwing: SocketError("Handing work to a loop", code: ECANCELED)) }
    }
  }

  /// Ends the thread and waits until its sockets are closed. Not to be called from the thread itself.
  public func stop() async {
    shared.stop()
    await shared.ended.value
  }
}
