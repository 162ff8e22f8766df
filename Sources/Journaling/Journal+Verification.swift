import Files

extension Journal {
  /// What a folder's journal holds, as ``open(_:segmentBytes:)`` would find it.
  public struct Inspection: Sendable, Equatable {
    /// Of the segment.
    public var path: String
    public var snapshot: [JournalRecord]
    /// What happened since.
    public var records: [JournalRecord]
    /// Of the last record.
    public var sequence: UInt64
    /// The rest of a write that was cut off.
    public var torn: Range<Int>?
  }

  /// Reads a folder and changes nothing in it, nor keeps anybody else from it: of a coordinator that runs, the last records
  /// may be on their way to the disk.
  ///
  /// - Throws: ``JournalError``.
  public static func inspect(folder: String) throws(JournalError) -> Inspection {
    let path: String
    let number: UInt64
    let bytes: [UInt8]
    do throws(FileError) {
      guard let newest = try Folder.names(in: folder).compactMap(Self.number).max() else {
        throw FileError(path: folder, reason: "holds no journal")
      }
      (path, number) = ("\(folder)/\(name(newest))", newest)
      bytes = try InputFile.read(path, maximumBytes: maximumSegmentBytes)
    } catch {
      throw .file(error)
    }
    let segment = try read(bytes, path, number: number)
    return Inspection(
      path: path, snapshot: segment.snapshot, records: segment.records, sequence: segment.lastSequence,
      torn: segment.torn)
  }
}
