import Glibc

/// The standard output: results, and nothing else. A full disk behind it is an error, which `print` would not notice.
enum StandardOutput {
  static func write(_ line: String) throws(CommandFailure) {
    let code = FileDescriptorText.write(line + "\n", to: STDOUT_FILENO)
    guard code == 0 else {
      throw CommandFailure(.output, "The standard output cannot be written: \(String(cString: strerror(code))).")
    }
  }
}
