/// A control group of the kernel, of version 1 or 2, that this process is in.
struct ControlGroup: Sendable, Equatable {
  let folder: String
  let isVersion2: Bool

  /// The text of one of its files, or nil.
  func text(_ name: String) -> String? { SystemFile.text(folder + "/" + name) }

  /// The number at the beginning of one of its files; nil for `max` and for a missing file.
  func number(_ name: String) -> Int? { text(name).flatMap { Int($0.prefix { $0.isNumber }) } }

  /// The groups of a controller such as "memory", from the process's own up to the root, each of which may set limits.
  /// In a container the inner ones may have names that only the world outside knows; files of those are missing.
  static func all(controller: String, root: String) -> [ControlGroup] {
    var groups: [ControlGroup] = []
    // Lines are `0::/path` for version 2 and `4:memory:/path` or `4:cpu,cpuacct:/path` for version 1.
    for line in (SystemFile.text(root + "/proc/self/cgroup") ?? "").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isVersion2 = parts[1].isEmpty
      guard isVersion2 || parts[1].split(separator: ",").contains(Substring(controller)) else { continue }
      let mount = root + (isVersion2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/\(controller)")
      var names = parts[2].split(separator: "/").filter { $0 != ".." }
      while !names.isEmpty {
        groups.append(ControlGroup(folder: mount + "/" + names.joined(separator: "/"), isVersion2: isVersion2))
        names.removeLast()
      }
      groups.append(ControlGroup(folder: mount, isVersion2: isVersion2))
    }
    return groups
  }
}
