import Tensors

extension AutoencoderKLHunyuanVideoConfiguration {
  /// The most bytes that decoding a video of so many latents takes at a time, the result and its pixels included, the
  /// weights and the latents not. An upper bound: what one block needs for input, inside and output.
  public func decodingBytes(
    frames: Int, height: Int, width: Int, tiling: Tiling = .never, tiles: VideoTiles = VideoTiles(),
    threads: Int = ThreadPool.shared.threads
  ) -> Int {
    let isStretched = frames > tiles.latentFrames(self)
    let stretch = isStretched ? tiles.latentFrames(self) + 1 : frames
    // The video with its copy in 0...1; a stretch and the one before it.
    var bytes = 2 * pixelBytes(frames, height, width) + (isStretched ? 2 * pixelBytes(stretch, height, width) : 0)
    var (tileHeight, tileWidth) = (height, width)
    if tiles.cutsFrames(tiling, frames: stretch, height: height, width: width, self) {
      (tileHeight, tileWidth) = (min(height, tiles.height / scale), min(width, tiles.width / scale))
      let step = max(1, tiles.widthStride / scale)
      // The frames that are put together, and two rows of tiles, of which the one above is complete.
      bytes += pixelBytes(stretch, height, width)
      bytes += 2 * ((width + step - 1) / step) * pixelBytes(stretch, tileHeight, tileWidth)
    }
    let pixels = stretch * tileHeight * tileWidth
    let scores = hasMidAttention ? threads * min(pixels, Attention.queriesPerPiece) * pixels : 0
    return bytes + blockBytes(stretch, tileHeight, tileWidth)
      + max(
        scores * MemoryLayout<Float>.stride, threads * CausalConvolution.scratchBytes(inputs: channels.max() ?? 1))
  }

  /// The same for frames that are not cut, what threads take for themselves and the finished pixels left out.
  func wholeBytes(frames: Int, height: Int, width: Int) -> Int { blockBytes(frames, height, width) }

  /// The pixels of so many latents.
  private func pixelBytes(_ latentFrames: Int, _ height: Int, _ width: Int) -> Int {
    frames(ofLatents: latentFrames) * height * scale * width * scale * outputChannels * MemoryLayout<Float>.stride
  }

  /// What the hungriest block needs.
  private func blockBytes(_ latentFrames: Int, _ height: Int, _ width: Int) -> Int {
    let channels = Array(channels.reversed())
    var (frames, area) = (latentFrames, height * width)
    // Residual blocks hold input, hidden state and the normalized one; attention its input, the normalized one, q, k, v
    // and the output.
    var floats = frames * area * (latentChannels + channels[0])
    floats = max(floats, frames * area * (hasMidAttention ? 6 : 3) * channels[0])
    for (index, outputs) in channels.enumerated() {
      let inputs = channels[max(0, index - 1)]
      floats = max(floats, frames * area * max(2 * inputs + outputs, 3 * outputs))
      if let factor = frameFactor(ofBlock: index) {
        // The small video, the repeated one and the result.
        let repeated = (1 + (frames - 1) * factor) * area * 4
        floats = max(floats, (frames * area + 2 * repeated) * outputs)
        (frames, area) = (1 + (frames - 1) * factor, area * 4)
      }
    }
    floats = max(floats, frames * area * (2 * channels[channels.count - 1] + outputChannels))
    return floats * MemoryLayout<Float>.stride
  }
}
