/// The IHDR chunk (PNG third edition, section 11.2.1).
struct PNGHeader: Equatable {
  let width: Int
  let height: Int
  let bitsPerPixel: Int

  /// Reads the 13 bytes of IHDR and refuses what the standard does not know.
  init(_ data: ArraySlice<UInt8>) throws(MediaError) {
    guard data.count == 13 else { throw .unreadablePNG("its header has \(data.count) bytes instead of 13") }
    let bytes = Array(data)
    width = Int(bigEndian(bytes[0..<4]))
    height = Int(bigEndian(bytes[4..<8]))
    guard width > 0, height > 0, width <= Int32.max, height <= Int32.max else {
      throw .unreadablePNG("its header claims a size of \(width)x\(height)")
    }
    let depth = Int(bytes[8])
    let allowed: (depths: [Int], samples: Int)? =
      switch bytes[9] {
      case 0: ([1, 2, 4, 8, 16], 1)
      case 2: ([8, 16], 3)
      case 3: ([1, 2, 4, 8], 1)
      case 4: ([8, 16], 2)
      case 6: ([8, 16], 4)
      default: nil
      }
    guard let allowed, allowed.depths.contains(depth) else {
      throw .unreadablePNG("its header claims colour type \(bytes[9]) of \(depth) bits, which does not exist")
    }
    guard bytes[10] == 0, bytes[11] == 0, bytes[12] <= 1 else {
      throw .unreadablePNG("its header claims an unknown compression, filter or interlacing")
    }
    bitsPerPixel = depth * allowed.samples
  }

  func check(_ limits: PNGLimits) throws(MediaError) {
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    guard !overflow, width <= limits.maximumSide, height <= limits.maximumSide, pixels <= limits.maximumPixels else {
      throw .unreadablePNG(
        "its size of \(width)x\(height) is beyond the limit of \(limits.maximumPixels) pixels"
          + " and \(limits.maximumSide) along a side")
    }
  }

  /// The fewest bytes of compressed data that could hold this many pixels: deflate packs at most 258 bytes into two
  /// bits, 1032 to 1. A file of a few bytes that claims a gigabyte of pixels is so refused before any is set aside.
  var fewestCompressedBytes: Int { width * height / 8 * bitsPerPixel / 1032 }
}

/// An unsigned number of up to eight bytes, the most significant first.
func bigEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 {
  bytes.reduce(0) { $0 << 8 | UInt64($1) }
}
