import Glibc

/// Time by the clock and of the processors, from its making on.
public struct Stopwatch: Sendable {
  public init() {}

  private let start = Stopwatch.now(CLOCK_MONOTONIC)
  private let processorStart = Stopwatch.now(CLOCK_PROCESS_CPUTIME_ID)

  /// Seconds by the clock.
  public var seconds: Double { Self.now(CLOCK_MONOTONIC) - start }
  /// Seconds of all threads together; less disturbed by other programs.
  public var processorSeconds: Double { Self.now(CLOCK_PROCESS_CPUTIME_ID) - processorStart }

  private static func now(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
