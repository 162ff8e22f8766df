import Glibc
import Synchronization

/// Places in the program at which a test can have its process killed: `CLUSCA_CRASH_AT=journal.sync.before:3` ends it, as
/// by SIGKILL, when it gets to the place of that name for the third time. At places that belong to something with a number,
/// `stage.step.666` ends it with what has the number 666 alone. Without the variable they do nothing.
public enum CrashPoint {
  private static let armed: (name: String, count: Int)? = {
    guard let text = getenv("CLUSCA_CRASH_AT").map({ String(cString: $0) }), !text.isEmpty else { return nil }
    let parts = text.split(separator: ":", maxSplits: 1)
    return (String(parts[0]), parts.count == 2 ? Int(parts[1]) ?? 1 : 1)
  }()
  private static let passed = Atomic<Int>(0)

  public static func reach(_ name: StaticString) {
    guard let armed, armed.name == "\(name)" else { return }
    pass(armed.count)
  }

  public static func reach(_ name: StaticString, of number: UInt64) {
    guard let armed, armed.name == "\(name)" || armed.name == "\(name).\(number)" else { return }
    pass(armed.count)
  }

  private static func pass(_ count: Int) {
    guard passed.add(1, ordering: .relaxed).newValue == count else { return }
    kill(getpid(), SIGKILL)
    // The signal may take a moment; nothing more is to happen.
    while true { pause() }
  }
}
