/// The comment among the metadata of an MP4, where ffmpeg writes it: moov, udta, meta, ilst, ©cmt, data.
enum MP4Comment {
  /// nil if there is none, or if the file is none of the kind or damaged on the way there.
  static func text(in file: UnsafeRawBufferPointer) -> String? {
    guard let moov = box("moov", in: file), let udta = box("udta", in: moov), let meta = box("meta", in: udta),
      // Version and flags stand before its boxes.
      meta.count >= 4, let list = box("ilst", in: UnsafeRawBufferPointer(rebasing: meta[4...])),
      let comment = box("\u{A9}cmt", in: list), let data = box("data", in: comment),
      // The type, 1 for UTF-8, and a language.
      data.count >= 8, bigEndian(data, at: 0, bytes: 4) == 1
    else { return nil }
    return String(validating: data[8...], as: UTF8.self)
  }

  /// The contents of the first box of a type.
  private static func box(_ type: String, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    let wanted = type.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    var place = 0
    while bytes.count - place >= 8 {
      var (size, header) = (bigEndian(bytes, at: place, bytes: 4), UInt64(8))
      if size == 1 {
        guard bytes.count - place >= 16 else { return nil }
        (size, header) = (bigEndian(bytes, at: place + 8, bytes: 8), 16)
      } else if size == 0 {
        // It reaches to the end.
        size = UInt64(bytes.count - place)
      }
      guard size >= header, size <= UInt64(bytes.count - place) else { return nil }
      let end = place + Int(size)
      if bytes[place + 4..<place + 8].elementsEqual(wanted) {
        return UnsafeRawBufferPointer(rebasing: bytes[place + Int(header)..<end])
      }
      place = end
    }
    return nil
  }

  private static func bigEndian(_ bytes: UnsafeRawBufferPointer, at place: Int, bytes count: Int) -> UInt64 {
    bytes[place..<place + count].reduce(0) { $0 << 8 | UInt64($1) }
  }
}
