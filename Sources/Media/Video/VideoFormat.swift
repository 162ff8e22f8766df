/// A file that holds all frames of a video.
public enum VideoFormat: String, Sendable, CaseIterable {
  /// H.264 in MP4.
  case mp4
  /// Animated WebP.
  case webp

  /// The format that the end of a file's name stands for; nil for any other end.
  public init?(path: String) {
    guard let format = Self.allCases.first(where: { path.lowercased().hasSuffix("." + $0.rawValue) }) else {
      return nil
    }
    self = format
  }

  /// What ffmpeg is told to make of the frames.
  var arguments: [String] {
    switch self {
    case .mp4:
      // Players take untagged video of any size for one of two standards; it is converted to and tagged as the newer one.
      [
        "-vf", "scale=out_color_matrix=bt709:out_range=tv", "-c:v", "libx264", "-crf", "17", "-pix_fmt", "yuv420p",
        "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
        "-movflags", "+faststart", "-f", "mp4",
      ]
    case .webp: ["-c:v", "libwebp_anim", "-quality", "90", "-loop", "0", "-f", "webp"]
    }
  }
}
