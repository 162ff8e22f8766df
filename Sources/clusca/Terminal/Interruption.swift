import Files
import Glibc
import Media
import Synchronization

/// SIGINT (Ctrl-C), SIGTERM and SIGHUP.
///
/// The first of them cancels the task of the command, which ends within a block or is ended soon; a second one, or the
/// first when there is nothing to cancel, ends the process at once. Temporary files are removed either way. A handler may
/// do next to nothing, so it writes the signal's number into a pipe, and a thread of its own does the rest. Handlers,
/// unlike ignored signals, are not inherited by programs that this one starts.
enum Interruption {
  private struct State {
    var task: Task<Void, any Error>?
    var received: Int32?
    var drain: (@Sendable () -> Void)?
    var hungUp: (@Sendable () -> Void)?
  }

  private static let state = Mutex(State())
  /// Where the handler writes.
  private static let pipeEnd = Atomic<Int32>(-1)
  /// In seconds.
  private static let patience = Atomic<UInt32>(0)

  /// The first signal that came, if one did.
  static var received: Int32? { state.withLock { $0.received } }

  /// Runs `body` as a task that signals cancel, and rethrows its error.
  static func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let task = Task { try await body() }
    let wasReceived = state.withLock { state in
      state.task = task
      return state.received != nil
    }
    if wasReceived { task.cancel() }
    defer { state.withLock { $0.task = nil } }
    try await task.value
  }

  /// Runs `body`; the first signal calls `drain`, upon which `body` comes to its end when nothing depends on it any more,
  /// and a second one ends the process.
  static func draining(by drain: @escaping @Sendable () -> Void, _ body: () async throws -> Void) async throws {
    state.withLock { $0.drain = drain }
    defer { state.withLock { $0.drain = nil } }
    try await body()
  }

  /// From now on SIGHUP calls `body`, as is the custom of daemons, and ends nothing.
  static func whenHungUp(_ body: @escaping @Sendable () -> Void) {
    state.withLock { $0.hungUp = body }
  }

  /// Runs `body`, which cannot be cancelled, so that the first signal ends the process.
  static func endingAtOnce<Value>(_ body: () throws -> Value) rethrows -> Value {
    state.withLock { $0.task = nil }
    return try body()
  }

  /// Takes the signals over. Those that the parent had ignored stay so: `nohup` and background jobs depend on it.
  ///
  /// - Parameter patience: the seconds that a cancelled task has before the process ends without it. A block of a large
  ///   picture may take minutes; nobody waits that long for a program to stop. Nothing is lost: files are whole or not
  ///   there.
  static func install(patience: UInt32 = 3) {
    Self.patience.store(patience, ordering: .relaxed)
    var ends: [Int32] = [-1, -1]
    // Without a pipe or a thread, the signals end the process as they would any other.
    guard pipe(&ends) == 0, startThread(readingFrom: ends[0]) else { return }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    pipeEnd.store(ends[1], ordering: .releasing)
    for signal in [SIGINT, SIGTERM, SIGHUP] {
      var old = sigaction()
      guard sigaction(signal, nil, &old) == 0 else { continue }
      if unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) == 1 { continue }  // SIG_IGN
      var new = sigaction()
      new.__sigaction_handler.sa_handler = { number in
        let saved = errno
        var byte = UInt8(truncatingIfNeeded: number)
        write(Interruption.pipeEnd.load(ordering: .relaxed), &byte, 1)
        errno = saved
      }
      new.sa_flags = SA_RESTART
      sigaction(signal, &new, nil)
    }
  }

  private static func startThread(readingFrom descriptor: Int32) -> Bool {
    var thread = pthread_t()
    let argument = UnsafeMutableRawPointer(bitPattern: Int(descriptor) + 1)
    return pthread_create(
      &thread, nil,
      { argument in
        let descriptor = Int32(Int(bitPattern: argument) - 1)
        var byte: UInt8 = 0
        while true {
          if read(descriptor, &byte, 1) == 1 { Interruption.receive(Int32(byte)) }
        }
      }, argument) == 0
  }

  private static func receive(_ signal: Int32) {
    if signal == SIGHUP, let hungUp = state.withLock({ $0.hungUp }) { return hungUp() }
    let (task, drain) = state.withLock { state -> (Task<Void, any Error>?, (@Sendable () -> Void)?) in
      defer { state.received = state.received ?? signal }
      return state.received == nil ? (state.task, state.drain) : (nil, nil)
    }
    if let drain {
      drain()
    } else if let task {
      task.cancel()
      endWhenPatienceEnds(signal)
    } else {
      endAtOnce(signal)
    }
  }

  /// Ends the process from a thread of its own, if it has not ended by then.
  private static func endWhenPatienceEnds(_ signal: Int32) {
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        sleep(Interruption.patience.load(ordering: .relaxed))
        guard Interruption.state.withLock({ $0.task != nil }) else { return nil }
        Interruption.endAtOnce(Int32(Int(bitPattern: argument)))
      }, UnsafeMutableRawPointer(bitPattern: Int(signal)))
  }

  private static func endAtOnce(_ signal: Int32) -> Never {
    AtomicFile.abandonAll()
    StandardError.clearProgressUnlessBusy()
    _exit(ExitStatus(signal: signal).rawValue)
  }
}
