/// The statuses with which the program ends; the only ones, and a promise to scripts.
///
/// Where sysexits.h has a number for a case, that number is taken, except for usage: who scripts against programs of
/// this kind, most of them in Python, expects 2 there.
enum ExitStatus: Int32, CaseIterable, Sendable {
  case success = 0
  /// Anything that has no status of its own.
  case failure = 1
  /// An option, an argument or a combination of them that is wrong.
  case usage = 2
  /// `verify`, `compare` or `check` found larger differences than allowed.
  case differences = 3
  /// A file, a checkpoint or a model that is missing, damaged or not supported.
  case input = 66
  /// The coordinator cannot be reached, or has no workers for the work.
  case unavailable = 69
  /// The work would not fit into the memory; said before it starts.
  case memory = 71
  /// A picture or another result cannot be written.
  case output = 73
  /// The journal of a coordinator cannot be written; no job is lost.
  case journal = 74
  /// Not now, but later: a queue or a disk is full, or another coordinator has the folder.
  case busy = 75
  /// The other side does not let this one in: its key, its role, its build or its processor.
  case refused = 77
  /// Keys or addresses would let strangers in.
  case insecure = 78
  case hungUp = 129
  /// SIGINT, mostly Ctrl-C.
  case interrupted = 130
  case terminated = 143

  /// The status of a program that a signal ended: 128 and its number, as shells have it.
  init(signal: Int32) { self = ExitStatus(rawValue: 128 + signal) ?? .failure }

  /// What the help says about it.
  var meaning: String {
    switch self {
    case .success: "success"
    case .failure: "unexpected failure"
    case .usage: "wrong usage"
    case .differences: "the differences are larger than allowed"
    case .input: "a file or model is missing, damaged or not supported"
    case .memory: "not enough memory"
    case .output: "a result cannot be written"
    case .unavailable: "no coordinator or no workers"
    case .journal: "the coordinator's journal cannot be written"
    case .busy: "a queue or disk is full, or a folder is in use"
    case .refused: "refused by the coordinator"
    case .insecure: "strangers would get in"
    case .hungUp: "the terminal went away (SIGHUP)"
    case .interrupted: "interrupted (SIGINT, Ctrl-C)"
    case .terminated: "terminated (SIGTERM)"
    }
  }

  /// The list of all statuses, for the help.
  static var discussion: String {
    let lines = allCases.map { status in
      let number = String(status.rawValue)
      return String(repeating: " ", count: 5 - number.count) + number + "  " + status.meaning
    }
    return "Exit statuses:\n" + lines.joined(separator: "\n")
  }
}
