import Glibc
import Synchronization

/// The threads that compute: `forEach` runs numbered pieces of work on all of them.
///
/// Callers cut work into pieces by its size alone, never by the number of threads, and no piece depends on another. So
/// results are equal bit for bit for any number of threads. When another caller has the threads, a caller runs its
/// pieces alone; calls from within a piece do the same.
public final class ThreadPool: @unchecked Sendable {
  /// The pool of the process, with one thread a core until ``setThreads(_:)``.
  public static let shared = ThreadPool(threads: max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))

  private struct Work {
    /// Points to the caller's closure: a worker that kept a reference to it would keep it beyond its scope.
    let body: UnsafePointer<(Int) -> Void>
    let count: Int
  }

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let busy = Atomic<Bool>(false)
  /// Counts the calls, with the workers that take part in the call in the lower bits: a worker that wakes late must not
  /// take part in a call that did not count on it.
  private let generation = Atomic<Int>(0)
  private static let participantBits = 16
  private let next = Atomic<Int>(0)
  private let working = Atomic<Int>(0)
  /// Read by workers that take part, between the raise of `generation` and the fall of `working` to zero.
  private var work: Work?
  /// Workers that exist; the first `threads - 1` of them take part in the next call.
  private var workers = 0
  private let participants = Atomic<Int>(0)

  public init(threads: Int) {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
    setThreads(threads)
  }

  /// The threads that share the work, the caller's included.
  public var threads: Int { participants.load(ordering: .relaxed) + 1 }

  /// Sets the number of threads, waiting for work in progress.
  public func setThreads(_ count: Int) {
    precondition(count >= 1 && count < 1 << Self.participantBits, "there cannot be \(count) threads")
    while busy.exchange(true, ordering: .acquiring) { sched_yield() }
    while workers < count - 1 { startWorker(index: workers) }
    participants.store(count - 1, ordering: .relaxed)
    busy.store(false, ordering: .releasing)
  }

  /// Runs `body` for 0..<count, in any order, on any threads, and returns when all have returned.
  public func forEach(_ count: Int, _ body: (Int) -> Void) {
    guard count > 1, participants.load(ordering: .relaxed) > 0,
      busy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else {
      for index in 0..<max(count, 0) { body(index) }
      return
    }
    withoutActuallyEscaping(body) { body in
      withUnsafePointer(to: body) { body in run(Work(body: body, count: count)) }
    }
    busy.store(false, ordering: .releasing)
  }

  /// What `body` gives for 0..<count, in their order; see ``forEach(_:_:)``.
  public func map<Value>(_ count: Int, _ body: (Int) -> Value) -> [Value] {
    [Value](unsafeUninitializedCapacity: count) { values, initialized in
      forEach(count) { index in values.initializeElement(at: index, to: body(index)) }
      initialized = count
    }
  }

  private func run(_ work: Work) {
    self.work = work
    next.store(0, ordering: .relaxed)
    let participants = participants.load(ordering: .relaxed)
    working.store(participants, ordering: .relaxed)
    pthread_mutex_lock(mutex)
    let calls = generation.load(ordering: .relaxed) >> Self.participantBits
    generation.store((calls &+ 1) << Self.participantBits | participants, ordering: .releasing)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
    takePieces(of: work)
    var spins = 0
    while working.load(ordering: .acquiring) > 0 {
      spins += 1
      if spins > Self.spinLimit { sched_yield() }
    }
    self.work = nil
  }

  /// Turns of an empty loop before a thread gives its core away: about a tenth of a millisecond, since the pieces of a small
  /// model, and of cached steps, follow each other that fast, and to wake a thread takes half as long.
  private static let spinLimit = 100_000

  private func takePieces(of work: Work) {
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < work.count else { return }
      work.body.pointee(index)
    }
  }

  private func startWorker(index: Int) {
    workers += 1
    let seen = generation.load(ordering: .acquiring)
    let start = Unmanaged.passRetained(WorkerStart(pool: self, index: index, generation: seen))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, 8 << 20)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, &attributes,
      { argument in
        let start = Unmanaged<WorkerStart>.fromOpaque(argument!).takeRetainedValue()
        start.pool.run(worker: start.index, generation: start.generation)
      }, start.toOpaque())
    pthread_attr_destroy(&attributes)
    precondition(status == 0, "the system gives no more threads")
  }

  private func run(worker index: Int, generation seen: Int) -> Never {
    var seen = seen
    while true {
      seen = waitForWork(after: seen)
      let participants = seen & (1 << Self.participantBits - 1)
      guard index < participants, let work else { continue }
      takePieces(of: work)
      working.subtract(1, ordering: .releasing)
    }
  }

  private func waitForWork(after seen: Int) -> Int {
    for _ in 0..<Self.spinLimit {
      let current = generation.load(ordering: .acquiring)
      if current != seen { return current }
    }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while generation.load(ordering: .acquiring) == seen { pthread_cond_wait(wake, mutex) }
    return generation.load(ordering: .acquiring)
  }
}

private final class WorkerStart: Sendable {
  let pool: ThreadPool
  let index: Int
  let generation: Int

  init(pool: ThreadPool, index: Int, generation: Int) {
    self.pool = pool
    self.index = index
    self.generation = generation
  }
}
