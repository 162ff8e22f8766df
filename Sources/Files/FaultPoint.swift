import Glibc
import Synchronization

/// Places in the program at which a test can have something go wrong. Without the variables they do nothing.
///
/// `CLUSCA_CRASH_AT=journal.sync.before:3` ends the process, as by SIGKILL, when it gets to the place of that name for the
/// third time. `CLUSCA_HANG_AT=stage.compute.before:3` has the thread that gets there stand still while all others go on:
/// for ever, or until there is a file of the name that `CLUSCA_HANG_UNTIL` gives. `CLUSCA_STOP_AT=stage.compute.after:3`
/// stops the whole process there, until a SIGCONT. `CLUSCA_FAIL_AT=journal.sync:3` has the third of what is done at a place
/// fail, as on a disk that is broken. At places that belong to something with a number, `stage.step.666` means what has the
/// number 666 alone.
public enum FaultPoint {
  private final class Armed: Sendable {
    private let name: String
    private let count: Int
    private let passed = Atomic<Int>(0)

    init?(_ variable: String) {
      guard let text = FaultPoint.variable(variable) else { return nil }
      let parts = text.split(separator: ":", maxSplits: 1)
      name = String(parts[0])
      count = parts.count == 2 ? Int(parts[1]) ?? 1 : 1
    }

    func isDue(at place: StaticString, of number: UInt64?) -> Bool {
      guard name == "\(place)" || number.map({ name == "\(place).\($0)" }) ?? false else { return false }
      return passed.add(1, ordering: .relaxed).newValue == count
    }
  }

  private static let crash = Armed("CLUSCA_CRASH_AT")
  private static let hang = Armed("CLUSCA_HANG_AT")
  private static let stop = Armed("CLUSCA_STOP_AT")
  private static let failure = Armed("CLUSCA_FAIL_AT")

  public static func reach(_ place: StaticString, of number: UInt64? = nil) {
    if let crash, crash.isDue(at: place, of: number) {
      kill(getpid(), SIGKILL)
      // The signal may take a moment; nothing more is to happen.
      while true { pause() }
    }
    if let hang, hang.isDue(at: place, of: number) { standStill(at: place) }
    if let stop, stop.isDue(at: place, of: number) {
      say("\(place) stops")
      // To this thread: it is to do nothing more, where another might be given a signal to the process first.
      raise(SIGSTOP)
      say("\(place) goes on")
    }
  }

  /// Whether what is done at a place is to fail.
  public static func fails(_ place: StaticString) -> Bool { failure?.isDue(at: place, of: nil) ?? false }

  private static func standStill(at place: StaticString) {
    say("\(place) hangs")
    let end = variable("CLUSCA_HANG_UNTIL")
    while end.map({ access($0, F_OK) != 0 }) ?? true { usleep(10_000) }
    say("\(place) goes on")
  }

  /// So that a test knows when to go on itself.
  private static func say(_ text: String) {
    let line = Array("clusca: \(text)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
  }

  private static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}
