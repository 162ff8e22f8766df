/// The tightest memory limit of the control groups that this process is in, of version 2 or 1.
///
/// Every group from the process's own to the root may set one. Page cache counts against a limit but is given back when
/// memory runs out, so it is not counted as used here.
struct MemoryLimit: Sendable, Equatable {
  /// The limit itself.
  let byteCount: Int
  /// What the group has not used yet.
  let remaining: Int
  /// The folder of the group.
  let group: String

  private init(byteCount: Int, remaining: Int, group: String) {
    self.byteCount = byteCount
    self.remaining = remaining
    self.group = group
  }

  init?(root: String = "") {
    guard let membership = SystemFile.text(root + "/proc/self/cgroup") else { return nil }
    var tightest: MemoryLimit?
    // Lines are `0::/path` for version 2 and `4:memory:/path` or `4:cpu,memory:/path` for version 1.
    for line in membership.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isVersion2 = parts[1].isEmpty
      guard isVersion2 || parts[1].split(separator: ",").contains("memory") else { continue }
      let mount = root + (isVersion2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory")
      for path in Self.pathsToRoot(String(parts[2])) {
        guard let limit = Self.read(mount + path, isVersion2: isVersion2) else { continue }
        if limit.remaining < tightest?.remaining ?? .max { tightest = limit }
      }
    }
    guard let tightest else { return nil }
    self = tightest
  }

  /// `/a/b` gives `/a/b`, `/a` and the root. In a container the first of them need not exist.
  private static func pathsToRoot(_ path: String) -> [String] {
    var paths: [String] = []
    var parts = path.split(separator: "/").filter { $0 != ".." }
    while !parts.isEmpty {
      paths.append("/" + parts.joined(separator: "/"))
      parts.removeLast()
    }
    return paths + [""]
  }

  private static func read(_ folder: String, isVersion2: Bool) -> MemoryLimit? {
    let limits = (isVersion2 ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]).compactMap(number)
    // Version 1 writes "no limit" as the largest multiple of a page that fits 63 bits.
    guard let limit = limits.min(), limit < 1 << 60 else { return nil }
    let used = number(isVersion2 ? "memory.current" : "memory.usage_in_bytes") ?? 0
    let names: Set<Substring> =
      isVersion2 ? ["active_file", "inactive_file"] : ["total_active_file", "total_inactive_file"]
    var reclaimable = 0
    for line in (SystemFile.text(folder + "/memory.stat") ?? "").split(separator: "\n") {
      let parts = line.split(separator: " ")
      if parts.count == 2, names.contains(parts[0]), let count = Int(parts[1]) { reclaimable &+= count }
    }
    let inUse = max(0, used - max(0, min(reclaimable, used)))
    return MemoryLimit(byteCount: limit, remaining: max(0, limit - inUse), group: folder)

    /// The number of a file; nil for `max` and for a missing file.
    func number(_ name: String) -> Int? {
      SystemFile.text(folder + "/" + name).flatMap { Int($0.prefix { $0.isNumber }) }
    }
  }
}
