/// The tightest memory limit of the control groups that this process is in.
///
/// Page cache counts against a limit but is given back when memory runs out, so it is not counted as used here.
struct MemoryLimit: Sendable, Equatable {
  /// The limit itself.
  let byteCount: Int
  /// What the group has not used yet.
  let remaining: Int
  /// The folder of the group.
  let group: String

  /// Nil if no group sets a limit.
  init?(root: String = "") {
    let limits = ControlGroup.all(controller: "memory", root: root).compactMap(MemoryLimit.init(group:))
    guard let tightest = limits.min(by: { $0.remaining < $1.remaining }) else { return nil }
    self = tightest
  }

  private init?(group: ControlGroup) {
    let names = group.isVersion2 ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]
    // Version 1 writes "no limit" as the largest multiple of a page that fits 63 bits.
    guard let limit = names.compactMap(group.number).min(), limit < 1 << 60 else { return nil }
    let used = group.number(group.isVersion2 ? "memory.current" : "memory.usage_in_bytes") ?? 0
    let cached: Set<Substring> =
      group.isVersion2 ? ["active_file", "inactive_file"] : ["total_active_file", "total_inactive_file"]
    var reclaimable = 0
    for line in (group.text("memory.stat") ?? "").split(separator: "\n") {
      let parts = line.split(separator: " ")
      if parts.count == 2, cached.contains(parts[0]), let count = Int(parts[1]) { reclaimable &+= count }
    }
    byteCount = limit
    remaining = max(0, limit - max(0, used - max(0, reclaimable)))
    self.group = group.folder
  }
}
