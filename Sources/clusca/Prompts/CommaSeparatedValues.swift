/// Reads RFC 4180: cells between commas, perhaps in double quotes, in which commas, line breaks and doubled quotes may
/// stand. Lines end with CR LF or LF; empty lines are left out.
enum CommaSeparatedValues {
  struct Record: Equatable {
    /// The line on which it begins, from 1.
    let line: Int
    let cells: [[UInt8]]
  }

  struct Failure: Error, Equatable {
    let line: Int
    let reason: String
  }

  static func records(in bytes: ArraySlice<UInt8>) throws(Failure) -> [Record] {
    var reader = Reader(bytes: bytes, position: bytes.startIndex)
    var records: [Record] = []
    while reader.position < bytes.endIndex {
      let line = reader.line
      let record = Record(line: line, cells: try reader.record())
      if record.cells != [[]] || reader.lastCellWasQuoted { records.append(record) }
    }
    return records
  }

  private struct Reader {
    let bytes: ArraySlice<UInt8>
    var position: Int
    var line = 1
    var lastCellWasQuoted = false

    private var next: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    mutating func record() throws(Failure) -> [[UInt8]] {
      var cells: [[UInt8]] = []
      while true {
        cells.append(try cell())
        switch next {
        case UInt8(ascii: ","): position += 1
        case nil: return cells
        default:
          position += next == 0x0D ? 2 : 1
          line += 1
          return cells
        }
      }
    }

    /// Reads up to a comma, a line break or the end.
    private mutating func cell() throws(Failure) -> [UInt8] {
      lastCellWasQuoted = next == UInt8(ascii: "\"")
      if lastCellWasQuoted { return try quotedCell() }
      let start = position
      while let byte = next, byte != UInt8(ascii: ","), !isAtLineBreak {
        guard byte != UInt8(ascii: "\"") else {
          throw Failure(line: line, reason: "a double quote stands inside a cell that does not begin with one")
        }
        position += 1
      }
      return Array(bytes[start..<position])
    }

    private mutating func quotedCell() throws(Failure) -> [UInt8] {
      let firstLine = line
      var cell: [UInt8] = []
      position += 1
      while let byte = next {
        position += 1
        if byte == 0x0A { line += 1 }
        guard byte == UInt8(ascii: "\"") else {
          cell.append(byte)
          continue
        }
        if next == UInt8(ascii: "\"") {
          cell.append(byte)
          position += 1
        } else if next == nil || next == UInt8(ascii: ",") || isAtLineBreak {
          return cell
        } else {
          throw Failure(line: line, reason: "text stands behind the closing double quote of a cell")
        }
      }
      throw Failure(line: firstLine, reason: "the double quote that opens a cell is never closed")
    }

    private var isAtLineBreak: Bool {
      guard let next else { return false }
      return next == 0x0A || (next == 0x0D && position + 1 < bytes.endIndex && bytes[position + 1] == 0x0A)
    }
  }
}
