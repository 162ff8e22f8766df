import Glibc

/// The memory that this process has in use, by /proc (proc(5)); nil where the system does not tell.
public enum ProcessMemory {
  /// Bytes in use now.
  public static var resident: Int? { bytes("VmRSS") }

  /// The most bytes in use since the process began, or since ``resetPeak()`` where the kernel lets it.
  public static var peakResident: Int? { bytes("VmHWM") }

  /// Begins to look for a new peak (5 into clear_refs).
  public static func resetPeak() {
    let descriptor = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    _ = Glibc.write(descriptor, "5", 1)
    close(descriptor)
  }

  /// The value of a line such as `VmRSS:     1234 kB`.
  private static func bytes(_ key: String) -> Int? {
    guard let file = fopen("/proc/self/status", "re") else { return nil }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
      let words = text.split(whereSeparator: \.isWhitespace)
      if words.first.map(String.init) == key + ":" {
        return words.dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
      }
    }
    return nil
  }
}
