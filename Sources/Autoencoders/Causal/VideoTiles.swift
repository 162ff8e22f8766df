import Tensors

/// Tiled decoding of videos as diffusers has it (`AutoencoderKLHunyuanVideo`): stretches of frames that overlap are
/// decoded on their own and faded into each other, and so are overlapping parts of the frames. All numbers are frames
/// and pixels of the video, not latents.
public struct VideoTiles: Sendable, Hashable {
  /// A stretch has this many frames and the first of the next (`tile_sample_min_num_frames`).
  public var frames = 16
  /// From the beginning of a stretch to that of the next (`tile_sample_stride_num_frames`).
  public var frameStride = 12
  /// The height of a tile (`tile_sample_min_height`).
  public var height = 256
  /// From the top of a tile to that of the next.
  public var heightStride = 192
  /// The width of a tile.
  public var width = 256
  public var widthStride = 192

  public init() {}

  /// Latent frames beyond which a video is cut in time.
  public func latentFrames(_ configuration: AutoencoderKLHunyuanVideoConfiguration) -> Int {
    frames / configuration.frameScale
  }

  /// Whether stretches are whole latent frames, of which each begins within the one before.
  func fitsFrames(_ configuration: AutoencoderKLHunyuanVideoConfiguration) -> Bool {
    Self.fits(frames, frameStride, configuration.frameScale)
  }

  private static func fits(_ size: Int, _ stride: Int, _ scale: Int) -> Bool {
    stride >= scale && size >= stride && stride % scale == 0 && size % scale == 0
  }

  /// Whether frames of that size in latents are cut.
  func cutsFrames(
    _ tiling: Tiling, frames: Int, height: Int, width: Int, _ configuration: AutoencoderKLHunyuanVideoConfiguration
  ) -> Bool {
    let scale = configuration.scale
    guard height > self.height / scale || width > self.width / scale,
      // Tiles that are no whole latents would leave gaps or overlap otherwise.
      Self.fits(self.height, heightStride, scale), Self.fits(self.width, widthStride, scale)
    else { return false }
    return switch tiling {
    case .never: false
    case .always: true
    case .above(let bytes): configuration.wholeBytes(frames: frames, height: height, width: width) > bytes
    }
  }

  /// Decodes `[frames, height, width, latent channels]` → `[frames, scale · height, scale · width, channels]`.
  ///
  /// - Parameter decodeTile: takes latents, and whether they are all there are.
  func decode(
    _ z: Tensor, _ tiling: Tiling, _ configuration: AutoencoderKLHunyuanVideoConfiguration,
    _ decodeTile: (Tensor, Bool) throws -> Tensor
  ) throws -> Tensor {
    let (latentFrames, height, width) = (z.shape[0], z.shape[1], z.shape[2])
    let tileFrames = self.latentFrames(configuration)
    // Decided once, so that a short stretch at the end is like the others.
    let isCut = cutsFrames(
      tiling, frames: latentFrames > tileFrames ? tileFrames + 1 : latentFrames, height: height, width: width,
      configuration)
    func stretch(_ z: Tensor, isWhole: Bool) throws -> Tensor {
      isCut
        ? try decodeParts(z, configuration) { try decodeTile($0, false) } : try decodeTile(z, isWhole)
    }
    guard latentFrames > tileFrames else { return try stretch(z, isWhole: true) }

    let (scale, frameScale) = (configuration.scale, configuration.frameScale)
    let frameCount = configuration.frames(ofLatents: latentFrames)
    var video = Tensor(
      uninitialized: [frameCount, height * scale, width * scale, configuration.outputChannels])
    var before: Tensor?
    for first in stride(from: 0, to: latentFrames, by: frameStride / frameScale) {
      let latents = first..<min(latentFrames, first + tileFrames + 1)
      // A later stretch gives no frame of its first latent.
      guard first == 0 || latents.count > 1 else { break }
      var tile = try stretch(z.frames(latents), isWhole: false)
      if first > 0 { tile = tile.frames(1..<tile.shape[0]) }
      if let before { tile.fade(fromStretch: before, frames: frames - frameStride) }
      let start = first == 0 ? 0 : 1 + first * frameScale
      let count = min(tile.shape[0], frameStride + (first == 0 ? 1 : 0), frameCount - start)
      video.replace(framesFrom: start, with: tile.frames(0..<count))
      before = tile
    }
    return video
  }

  /// Decodes parts of all frames, as ``LatentTiles`` does for a picture.
  private func decodeParts(
    _ z: Tensor, _ configuration: AutoencoderKLHunyuanVideoConfiguration, _ decodePart: (Tensor) throws -> Tensor
  ) throws -> Tensor {
    let scale = configuration.scale
    let (latentFrames, height, width) = (z.shape[0], z.shape[1], z.shape[2])
    var video = Tensor(
      uninitialized: [
        configuration.frames(ofLatents: latentFrames), height * scale, width * scale, configuration.outputChannels,
      ])
    // A part fades into neighbours that have faded into theirs: one row of parts stays for the next.
    var above: [Tensor] = []
    for top in stride(from: 0, to: height, by: heightStride / scale) {
      var row: [Tensor] = []
      for left in stride(from: 0, to: width, by: widthStride / scale) {
        var part = try decodePart(
          z.cutFrames(
            rows: top..<min(height, top + self.height / scale), columns: left..<min(width, left + self.width / scale)))
        if !above.isEmpty { part.fadeFrames(from: above[row.count], rows: self.height - heightStride) }
        if let before = row.last { part.fadeFrames(from: before, columns: self.width - widthStride) }
        video.pasteFrames(
          part, rows: min(heightStride, part.shape[1]), columns: min(widthStride, part.shape[2]), top: top * scale,
          left: left * scale)
        row.append(part)
      }
      above = row
    }
    return video
  }
}
