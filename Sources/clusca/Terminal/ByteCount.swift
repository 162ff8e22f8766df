/// Bytes for people: `12.3 GB`, in powers of ten as disks and model hubs count.
struct ByteCount: CustomStringConvertible {
  let bytes: Int

  init(_ bytes: Int) { self.bytes = bytes }

  var description: String {
    var value = Double(bytes)
    for unit in ["bytes", "kB", "MB", "GB"] {
      // 999.95 would be rounded to 1000.0.
      if abs(value) < 999.95 {
        return unit == "bytes" ? "\(bytes) bytes" : "\(DecimalText.fixed(value, digits: 1)) \(unit)"
      }
      value /= 1000
    }
    return "\(DecimalText.fixed(value, digits: 1)) TB"
  }
}
