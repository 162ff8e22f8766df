import Glibc
import Synchronization

/// Places in the program at which a test can have its process killed: `CLUSCA_CRASH_AT=journal.sync.before:3` ends it, as
/// by SIGKILL, when it gets to the place of that name for the third time. Without the variable they do nothing.
public enum CrashPoint {
  private static let armed: (name: String, count: Int)? = {
    guard let text = getenv("CLUSCA_CRASH_AT").map({ String(cString: $0) }), !text.isEmpty else { return nil }
    let parts = text.split(separator: ":", maxSplits: 1)
    return (String(parts[0]), parts.count == 2 ? Int(parts[1]) ?? 1 : 1)
  }()
  private static let passed = Atomic<Int>(0)

  public static func reach(_ name: StaticString) {
    guard let armed, armed.name == "\(name)" else { return }
    guard passed.add(1, ordering: .relaxed).newValue == armed.count else { return }
    kill(getpid(), SIGKILL)
    // The signal may take a moment; nothing more is to happen.
    while true { pause() }
  }
}
