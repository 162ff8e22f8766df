extension Picture {
  /// The picture made smaller until no side is longer than `side`, 1 or more; itself if it is no larger. Each pixel is the
  /// mean of the samples that it covers, as they are stored.
  public func reduced(toFit side: Int) throws(MediaError) -> Picture {
    guard side >= 1 else { throw .unsuitablePicture("A picture cannot be reduced to \(side) pixels") }
    guard max(width, height) > side else { return self }
    let target = (
      width: max(1, width * side / max(width, height)), height: max(1, height * side / max(width, height))
    )
    var small: [UInt8] = []
    small.reserveCapacity(3 * target.width * target.height)
    for y in 0..<target.height {
      let rows = y * height / target.height..<max(y * height / target.height + 1, (y + 1) * height / target.height)
      for x in 0..<target.width {
        let columns = x * width / target.width..<max(x * width / target.width + 1, (x + 1) * width / target.width)
        for channel in 0..<3 {
          var sum = 0
          for row in rows { for column in columns { sum += Int(bytes[3 * (row * width + column) + channel]) } }
          let count = rows.count * columns.count
          small.append(UInt8((sum + count / 2) / count))
        }
      }
    }
    return try Picture(width: target.width, height: target.height, bytes: small)
  }
}
