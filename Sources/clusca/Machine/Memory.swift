import Glibc

/// The memory that this process may use: what the kernel says is available, within the limits of its control groups.
struct Memory: Sendable, Equatable {
  /// Bytes of the machine.
  let total: Int
  /// Bytes that the kernel could give without swapping (`MemAvailable`).
  let availableOnMachine: Int
  /// What containers, Slurm, systemd or Kubernetes leave, if they set a limit.
  let limit: MemoryLimit?

  /// Bytes that work may take now.
  var available: Int { min(availableOnMachine, limit?.remaining ?? .max) }

  /// Bytes that there would be if nothing else ran.
  var usable: Int { min(total, limit?.byteCount ?? .max) }

  /// Reads it from /proc and /sys; nil where they are not mounted.
  ///
  /// - Parameter root: The folder that stands for `/`, for tests.
  init?(root: String = "") {
    guard let text = SystemFile.text(root + "/proc/meminfo") else { return nil }
    let values = Self.kilobytes(text)
    guard let total = values["MemTotal"] else { return nil }
    // Kernels before 3.14 and some sandboxes do not tell what is available.
    let available = values["MemAvailable"] ?? (values["MemFree"] ?? 0) + (values["Cached"] ?? 0)
    self.total = total
    availableOnMachine = min(available, total)
    limit = MemoryLimit(root: root)
  }

  /// The bytes that work may take now; nil if the system does not tell.
  static var available: Int? { Memory()?.available }

  /// Values of lines such as `MemTotal:  1234 kB`, in bytes.
  private static func kilobytes(_ text: String) -> [String: Int] {
    var values: [String: Int] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(whereSeparator: { $0 == " " || $0 == ":" || $0 == "\t" })
      guard parts.count >= 2, let number = Int(parts[1]) else { continue }
      values[String(parts[0])] = number.multipliedReportingOverflow(by: 1024).partialValue
    }
    return values
  }
}
