import Glibc

/// What is free of a disk.
public struct DiskSpace: Sendable, Hashable {
  /// For this user, in bytes.
  public var available: UInt64
  public var total: UInt64

  public init(available: UInt64, total: UInt64) {
    self.available = available
    self.total = total
  }

  /// Of the disk that a folder lies on; nil if the system does not say.
  public init?(of folder: String) {
    var status = statvfs()
    guard !folder.utf8.contains(0), statvfs(folder, &status) == 0 else { return nil }
    let unit = UInt64(status.f_frsize)
    available = UInt64(status.f_bavail) * unit
    total = UInt64(status.f_blocks) * unit
  }

  /// Whether so little is left that nothing new should be begun: a twentieth, and at most a gigabyte. A disk that was found
  /// full has to get a quarter more.
  public func isLow(wasLow: Bool) -> Bool {
    let limit = min(total / 20, 1 << 30)
    return available < (wasLow ? limit + limit / 4 : limit)
  }
}
