import Files

/// The entries of a zip file that are stored as they are, without compression: what `torch.save` writes.
///
/// Only the directory at the end is believed, and every place that it names is checked against the file. Nothing is
/// unpacked.
struct ZipArchive: Sendable {
  let file: MappedFile
  /// Where the bytes of each entry are.
  let entries: [String: Range<Int>]

  private static let maximumEntries = 1 << 18

  /// - Throws: `FileError` for what is no zip file, and for one with compressed or encrypted entries.
  init(_ file: MappedFile) throws(FileError) {
    self.file = file
    let reader = ByteReader(file)
    let directory = try Self.directory(reader)
    var entries: [String: Range<Int>] = [:]
    var place = directory.start
    for _ in 0..<directory.count {
      let entry = try Entry(reader, at: place, end: directory.end)
      place = entry.next
      guard entries.updateValue(try entry.data(reader), forKey: entry.name) == nil else {
        throw reader.error("has two entries of the name \(entry.name.printable(limit: 60))")
      }
    }
    self.entries = entries
  }

  /// Where the list of entries is, from the record at the end of the file, or the one for large files before it.
  private static func directory(_ reader: ByteReader) throws(FileError) -> (start: Int, end: Int, count: Int) {
    let end = try endRecord(reader)
    var (count, size, start) = (
      try reader.integer16(end + 10), try reader.integer32(end + 12), try reader.integer32(end + 16)
    )
    if end >= 20, try reader.integer32(end - 20) == 0x0706_4B50 {
      let large = try reader.integer64(end - 20 + 8)
      guard try reader.integer32(large) == 0x0606_4B50 else { throw reader.error("has a damaged directory") }
      (count, size, start) = (
        try reader.integer64(large + 32), try reader.integer64(large + 40), try reader.integer64(large + 48)
      )
    }
    guard start <= end, size <= end - start, count <= maximumEntries, count <= size / 46 else {
      throw reader.error("has a damaged directory")
    }
    return (start, start + size, count)
  }

  /// The record lies at the end, with a comment of up to 65535 bytes behind it.
  private static func endRecord(_ reader: ByteReader) throws(FileError) -> Int {
    var place = reader.count - 22
    let lowest = max(0, place - 0xFFFF)
    while place >= lowest {
      if try reader.integer32(place) == 0x0605_4B50, try reader.integer16(place + 20) == reader.count - place - 22 {
        return place
      }
      place -= 1
    }
    throw reader.error("is no zip file, or its end is missing")
  }

  /// One entry of the directory.
  private struct Entry {
    let name: String
    /// Where the next entry of the directory begins.
    let next: Int
    private let size: Int
    private let header: Int

    init(_ reader: ByteReader, at place: Int, end: Int) throws(FileError) {
      guard place <= end - 46, try reader.integer32(place) == 0x0201_4B50 else {
        throw reader.error("has a damaged directory")
      }
      let (nameLength, extraLength) = (try reader.integer16(place + 28), try reader.integer16(place + 30))
      next = try place + 46 + nameLength + extraLength + reader.integer16(place + 32)
      guard next <= end else { throw reader.error("has a damaged directory") }
      guard let name = try reader.text(place + 46..<place + 46 + nameLength) else {
        throw reader.error("has an entry whose name is not valid UTF-8")
      }
      self.name = name
      let (flags, method) = (try reader.integer16(place + 8), try reader.integer16(place + 10))
      guard flags & 1 == 0, method == 0 else {
        throw reader.error(
          "has the entry \(name.printable(limit: 60)), which is compressed or encrypted; torch.save writes none that is"
        )
      }
      var sizes = [
        try reader.integer32(place + 24), try reader.integer32(place + 20), try reader.integer32(place + 42),
      ]
      try Self.widen(&sizes, reader, place + 46 + nameLength..<place + 46 + nameLength + extraLength)
      (size, header) = (sizes[0], sizes[2])
      guard sizes[1] == size else { throw reader.error("has an entry of two sizes") }
    }

    /// Numbers that do not fit 32 bits stand in a field of their own, in this order.
    private static func widen(_ numbers: inout [Int], _ reader: ByteReader, _ extra: Range<Int>) throws(FileError) {
      guard numbers.contains(0xFFFF_FFFF) else { return }
      var place = extra.lowerBound
      while place + 4 <= extra.upperBound {
        let (kind, length) = (try reader.integer16(place), try reader.integer16(place + 2))
        guard place + 4 + length <= extra.upperBound else { break }
        if kind == 1 {
          var value = place + 4
          for index in numbers.indices where numbers[index] == 0xFFFF_FFFF {
            guard value + 8 <= place + 4 + length else { throw reader.error("has a damaged directory") }
            numbers[index] = try reader.integer64(value)
            value += 8
          }
          return
        }
        place += 4 + length
      }
    }

    /// Where the data is: behind a second header, whose name and other fields have lengths of their own.
    func data(_ reader: ByteReader) throws(FileError) -> Range<Int> {
      guard try reader.integer32(header) == 0x0403_4B50 else { throw reader.error("has a damaged directory") }
      let start = try header + 30 + reader.integer16(header + 26) + reader.integer16(header + 28)
      guard start <= reader.count, size <= reader.count - start else {
        throw reader.error("ends before its entry \(name.printable(limit: 60)) does")
      }
      return start..<start + size
    }
  }
}

/// Little-endian numbers of a file; a place outside of it is an error.
private struct ByteReader {
  private let file: MappedFile

  init(_ file: MappedFile) { self.file = file }

  var count: Int { file.byteCount }

  func error(_ reason: String) -> FileError { FileError(path: file.path, reason: reason) }

  func integer16(_ place: Int) throws(FileError) -> Int { try integer(place, 2) }
  func integer32(_ place: Int) throws(FileError) -> Int { try integer(place, 4) }

  /// Up to 2⁶² − 1, more than any place in a file.
  func integer64(_ place: Int) throws(FileError) -> Int {
    let number = try integer(place, 8)
    guard number >= 0, number < 1 << 62 else { throw error("has a damaged directory") }
    return number
  }

  private func integer(_ place: Int, _ width: Int) throws(FileError) -> Int {
    guard place >= 0, place <= count - width else { throw error("is no zip file, or it is cut off") }
    return file.withBytes(place..<place + width) { bytes in
      Int(truncatingIfNeeded: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
  }

  func text(_ range: Range<Int>) throws(FileError) -> String? {
    guard range.upperBound <= count else { throw error("is cut off") }
    return file.withBytes(range) { String(validating: $0, as: UTF8.self) }
  }
}
