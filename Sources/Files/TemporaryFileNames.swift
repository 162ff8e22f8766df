import Glibc
import Synchronization

/// The temporary files that exist now, so that a process which ends in the middle of its work can remove them.
final class TemporaryFileNames: Sendable {
  /// Those of the process.
  static let shared = TemporaryFileNames()

  private struct State {
    var paths: Set<String> = []
    var isClosed = false
  }

  private let state = Mutex(State())

  /// Runs `create`, which makes the file `path` and returns its descriptor or -1 and `errno`. Nothing is made once
  /// `removeAll` has run, and never while it runs.
  func creating(_ path: String, _ create: () -> Int32) throws(FileFailure) -> Int32 {
    let outcome = state.withLock { state -> (descriptor: Int32, code: Int32) in
      guard !state.isClosed else { return (-1, ECANCELED) }
      let descriptor = create()
      let code = errno
      if descriptor >= 0 { state.paths.insert(path) }
      return (descriptor, code)
    }
    if outcome.code == ECANCELED, outcome.descriptor < 0 { throw .system(ECANCELED) }
    errno = outcome.code
    return outcome.descriptor
  }

  func forget(_ path: String) {
    _ = state.withLock { $0.paths.remove(path) }
  }

  func removeAll() {
    state.withLock { state in
      state.isClosed = true
      for path in state.paths { unlink(path) }
      state.paths = []
    }
  }
}
