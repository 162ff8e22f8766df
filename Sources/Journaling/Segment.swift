/// What a segment holds, read with distrust.
struct Segment: Equatable {
  let header: SegmentHeader
  let snapshot: [JournalRecord]
  /// Those behind the snapshot, in order.
  let records: [JournalRecord]
  /// Where the next record goes.
  let end: Int
  /// What stands there although no whole record does: the rest of a write that was cut off.
  let torn: Range<Int>?

  var lastSequence: UInt64 { header.base + UInt64(records.count) }

  enum Problem: Error, Equatable {
    case header(SegmentHeader.Problem)
    /// A record that was on the disk is not there any more; those behind the damage that can still be read.
    case damaged(offset: Int, later: [JournalRecord])
  }

  init(_ bytes: [UInt8]) throws(Problem) {
    do {
      header = try SegmentHeader(bytes)
    } catch {
      throw .header(error)
    }
    var offset = SegmentHeader.byteCount
    var snapshot: [JournalRecord] = []
    for _ in 0..<header.snapshotCount {
      // It was on the disk before the segment had its name.
      guard let frame = RecordFrame(bytes, at: offset), frame.sequence == header.base else {
        throw .damaged(offset: offset, later: Self.frames(in: bytes, behind: offset).map(\.record))
      }
      snapshot.append(frame.record)
      offset += frame.byteCount
    }
    var records: [JournalRecord] = []
    var next = header.base + 1
    while let frame = RecordFrame(bytes, at: offset), frame.sequence == next, frame.floor < next {
      records.append(frame.record)
      offset += frame.byteCount
      next += 1
    }
    let written = (bytes.lastIndex { $0 != 0 } ?? -1) + 1
    if written > offset {
      let later = Self.frames(in: bytes, behind: offset - RecordFrame.alignment)
      guard later.allSatisfy({ $0.floor < next }) else {
        throw .damaged(offset: offset, later: later.map(\.record))
      }
      torn = offset..<written
    } else {
      torn = nil
    }
    (self.snapshot, self.records, end) = (snapshot, records, offset)
  }

  /// Whole records behind a place at which there should be one, wherever they begin.
  private static func frames(in bytes: [UInt8], behind offset: Int) -> [RecordFrame] {
    var frames: [RecordFrame] = []
    var place = offset + RecordFrame.alignment
    while place + RecordFrame.headerBytes <= bytes.count {
      if let frame = RecordFrame(bytes, at: place) {
        frames.append(frame)
        place += frame.byteCount
      } else {
        place += RecordFrame.alignment
      }
    }
    return frames
  }
}
