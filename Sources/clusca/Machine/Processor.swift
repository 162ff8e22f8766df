import Glibc

/// The CPU and how much of it this process may use.
struct Processor: Sendable, Equatable {
  /// The name that the maker gave it; nil where the kernel does not tell.
  let model: String?
  /// Instruction sets that matter for matrices and that it has, such as "avx2" or "avx512_bf16".
  let instructionSets: [String]
  /// Cores of the machine that are not hyperthreads of one another; nil where the kernel does not tell.
  let physicalCores: Int?
  /// Hardware threads that are switched on.
  let logicalCores: Int
  /// Hardware threads that this process may run on (taskset, Slurm).
  let allowedCores: Int
  /// Cores' worth of time that control groups grant, if they set a limit.
  let quota: Double?

  private static let knownSets = [
    "sse4_2", "f16c", "fma", "avx", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
    "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "asimd", "asimddp", "bf16", "i8mm", "sve", "sve2",
  ]

  init(root: String = "") {
    let text = SystemFile.text(root + "/proc/cpuinfo") ?? ""
    var model: String?
    var flags: Set<Substring> = []
    var cores: Set<String> = []
    var package: Substring = ""
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let key = line[..<colon].split(whereSeparator: \.isWhitespace).joined(separator: " ")
      let value = line[line.index(after: colon)...].drop { $0.isWhitespace }
      switch key {
      case "model name": model = model ?? String(value)
      case "flags", "Features": if flags.isEmpty { flags = Set(value.split(separator: " ")) }
      case "physical id": package = value
      case "core id": cores.insert("\(package):\(value)")
      default: break
      }
    }
    self.model = model
    instructionSets = Self.knownSets.filter { flags.contains(Substring($0)) }
    physicalCores = cores.isEmpty ? nil : cores.count
    logicalCores = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    allowedCores = Self.allowed(SystemFile.text(root + "/proc/self/status") ?? "") ?? logicalCores
    quota = Self.quota(root: root)
  }

  /// The number of CPUs in the list of a line such as `Cpus_allowed_list: 0-3,8`. Glibc's call for it is not to be had
  /// from Swift.
  private static func allowed(_ status: String) -> Int? {
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed_list:") }) else {
      return nil
    }
    var count = 0
    for range in line.drop(while: { !$0.isNumber }).split(separator: ",") {
      let ends = range.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, first <= last else { return nil }
      count += last - first + 1
    }
    return count > 0 ? count : nil
  }

  /// `cpu.max` of control groups version 2 holds microseconds of time and of the period, or `max`; version 1 has a file
  /// for each.
  private static func quota(root: String) -> Double? {
    var tightest: Double?
    for group in ControlGroup.all(controller: "cpu", root: root) {
      let numbers: [Substring] =
        group.isVersion2
        ? (group.text("cpu.max") ?? "").split(whereSeparator: \.isWhitespace)
        : ["cpu.cfs_quota_us", "cpu.cfs_period_us"].flatMap {
          (group.text($0) ?? "").split(whereSeparator: \.isWhitespace)
        }
      guard numbers.count == 2, let time = Double(numbers[0]), let period = Double(numbers[1]), time > 0, period > 0
      else { continue }
      tightest = min(tightest ?? .infinity, time / period)
    }
    return tightest
  }
}
