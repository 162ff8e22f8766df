import Files
import Glibc

/// A running ffmpeg, which reads frames from its standard input.
final class FFmpeg {
  private var process: pid_t = 0
  /// Our end of its standard input; -1 once closed.
  private var input: Int32
  /// What it says, in a file without a name; nil if there is no place for one.
  private let messages: UnsafeMutablePointer<FILE>?
  private var isRunning = true

  /// Starts the program that is found in the folders of `PATH`.
  ///
  /// - Throws: ``MediaError/missingProgram(_:)`` if there is none, ``MediaError/unwritableVideo(_:)`` if it does not start.
  init(_ arguments: [String]) throws(MediaError) {
    guard let path = Self.path else { throw .missingProgram("ffmpeg") }
    // A socket and no pipe: writing to one whose reader went away can be told not to end the process.
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw .unwritableVideo("no connection to ffmpeg can be made: \(String(cString: strerror(errno)))")
    }
    defer { close(ends[1]) }
    input = ends[0]
    messages = tmpfile()
    let code = Self.start(path, arguments, input: ends[1], messages: messages.map { fileno($0) }, &process)
    guard code == 0 else {
      isRunning = false
      throw .unwritableVideo("ffmpeg cannot be started: \(String(cString: strerror(code)))")
    }
  }

  deinit {
    stop()
    if let messages { fclose(messages) }
  }

  /// The program's file, if there is one that may be run.
  static var path: String? {
    let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    return folders.split(separator: ":").map { "\($0)/ffmpeg" }.first { path in
      Folder.isRegularFile(path) && access(path, X_OK) == 0
    }
  }

  /// Starts it in a process group of its own, so that Ctrl-C reaches this program alone, which then stops it.
  private static func start(
    _ path: String, _ arguments: [String], input: Int32, messages: Int32?, _ process: inout pid_t
  ) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
    // The standard output is for the paths of pictures.
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    if let messages {
      posix_spawn_file_actions_adddup2(&actions, messages, STDERR_FILENO)
    } else {
      posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    var words = ([path] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    return posix_spawn(&process, path, &actions, &attributes, &words, environ)
  }

  /// Hands over bytes.
  func write(_ bytes: [UInt8]) throws(MediaError) {
    let isWritten = bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let part = UnsafeRawBufferPointer(rebasing: rest)
        let count = send(input, part.baseAddress, part.count, Int32(MSG_NOSIGNAL))
        if count >= 0 {
          rest = rest.dropFirst(count)
        } else if errno != EINTR {
          return false
        }
      }
      return true
    }
    // It went away, and says why.
    if !isWritten { try finish() }
  }

  /// Tells it that there are no more frames, and waits until it has written the video.
  func finish() throws(MediaError) {
    let status = wait()
    guard status != 0 else { return }
    let reason = lastMessage
    throw .unwritableVideo(
      "ffmpeg ended with status \(status)" + (reason.isEmpty ? "" : " and said: \(reason)"))
  }

  /// Ends it at once.
  func stop() {
    guard isRunning else { return }
    kill(process, SIGKILL)
    _ = wait()
  }

  /// The status with which it ends, or 128 and the number of the signal that ended it, as shells have it.
  private func wait() -> Int32 {
    guard isRunning else { return 1 }
    if input >= 0 { close(input) }
    input = -1
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { break }
    }
    isRunning = false
    let signal = status & 0x7F
    return signal == 0 ? status >> 8 & 0xFF : 128 + signal
  }

  private var lastMessage: String {
    guard let messages = messages.map({ fileno($0) }) else { return "" }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let size = lseek(messages, 0, SEEK_END)
    let count = pread(messages, &buffer, buffer.count, max(0, size - buffer.count))
    guard count > 0 else { return "" }
    let text = String(decoding: buffer[..<count], as: UTF8.self)
    let line = text.split(whereSeparator: \.isNewline).last { !$0.isEmpty } ?? ""
    return String(line.prefix(200))
  }
}
