import Glibc

/// The standard input, read to its end.
enum StandardInput {
  /// Ends the process when the standard input ends, as it does when whoever started the process is gone.
  static func endProcessWithIt() {
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { _ in
        var byte: UInt8 = 0
        while true {
          let count = Glibc.read(STDIN_FILENO, &byte, 1)
          if count == 0 || (count < 0 && errno != EINTR) { _exit(ExitStatus.terminated.rawValue) }
        }
      }, nil)
  }

  /// At most `maximumBytes`. Waits in short turns, so that a task that is cancelled does not wait for a terminal.
  static func read(maximumBytes: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      try Task.checkCancellation()
      var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      if poll(&waiting, 1, 100) == 0 { continue }
      let count = part.withUnsafeMutableBytes { Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
      if count == 0 { return bytes }
      guard count > 0 else {
        if errno == EINTR || errno == EAGAIN { continue }
        throw CommandFailure(.input, "The standard input cannot be read: \(String(cString: strerror(errno))).")
      }
      guard bytes.count + count <= maximumBytes else {
        throw CommandFailure(.input, "The standard input holds more than \(maximumBytes) bytes.")
      }
      bytes.append(contentsOf: part[..<count])
    }
  }
}
