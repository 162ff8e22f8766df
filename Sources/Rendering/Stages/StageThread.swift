import Glibc

/// A thread on which one stage computes.
///
/// Swift's own threads are as many as there are processors and must not be kept busy: while a step of a large picture takes
/// minutes, messages have to be answered, on machines with one processor, too.
final class StageThread: SerialExecutor {
  private let queue = Queue()

  /// - Throws: ``StageError/noThread(code:)`` where the system has no more threads to give.
  init() throws(StageError) {
    queue.executor = asUnownedSerialExecutor()
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(queue)
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Queue>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, argument.toOpaque())
    guard code == 0 else {
      argument.release()
      throw .noThread(code: code)
    }
    pthread_detach(thread)
  }

  deinit { queue.stop() }

  func enqueue(_ job: consuming ExecutorJob) { queue.add(UnownedJob(job)) }

  /// What is to be done, in its order. The thread keeps it beyond the end of the executor, whose last job may be what
  /// ends it.
  ///
  /// Unchecked: jobs and `isStopping` are only touched with the mutex, and `executor` is set before the thread begins.
  private final class Queue: @unchecked Sendable {
    var executor: UnownedSerialExecutor?
    private var jobs: [UnownedJob] = []
    private var isStopping = false
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(wake, nil)
    }

    deinit {
      pthread_cond_destroy(wake)
      pthread_mutex_destroy(mutex)
      wake.deallocate()
      mutex.deallocate()
    }

    func add(_ job: UnownedJob) {
      pthread_mutex_lock(mutex)
      jobs.append(job)
      pthread_cond_signal(wake)
      pthread_mutex_unlock(mutex)
    }

    func stop() {
      pthread_mutex_lock(mutex)
      isStopping = true
      pthread_cond_signal(wake)
      pthread_mutex_unlock(mutex)
    }

    func run() {
      guard let executor else { return }
      while let job = next() { job.runSynchronously(on: executor) }
    }

    private func next() -> UnownedJob? {
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      while jobs.isEmpty, !isStopping { pthread_cond_wait(wake, mutex) }
      return jobs.isEmpty ? nil : jobs.removeFirst()
    }
  }
}
