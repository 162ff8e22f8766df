import Files

/// Why a journal cannot be read or written: one sentence that names file and place, without its full stop.
public enum JournalError: Error, Sendable, Hashable, CustomStringConvertible {
  case file(FileError)
  /// Another process has the folder.
  case locked(String)
  /// Something that was on the disk is damaged; the records behind it that can still be read.
  case damaged(path: String, offset: Int, later: [JournalRecord])
  case newerFormat(path: String, version: UInt8)

  public var description: String {
    switch self {
    case .file(let error): error.description
    case .locked(let path): "\(path) is in use by another coordinator"
    case .damaged(let path, let offset, _): "\(path) is damaged at byte \(offset)"
    case .newerFormat(let path, let version):
      "\(path) has the format \(version), which is newer than this program (it reads \(SegmentHeader.version))"
    }
  }
}
