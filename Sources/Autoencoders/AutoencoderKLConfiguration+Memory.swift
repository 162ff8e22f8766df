import Tensors

extension AutoencoderKLConfiguration {
  /// The most bytes that decoding a picture of so many latents takes at a time, the result included, the weights
  /// and the latents not. An upper bound: what one block needs for input, inside and output.
  public func decodingBytes(
    height: Int, width: Int, tiling: Tiling = .never, threads: Int = ThreadPool.shared.threads
  ) -> Int {
    let tiles = LatentTiles(self)
    guard tiles(tiling, height: height, width: width, self) else {
      return wholeBytes(height: height, width: width) + threads * bytesPerThread(height, width)
    }
    let (tileHeight, tileWidth) = (min(height, tiles.latentSize), min(width, tiles.latentSize))
    // The picture in both layouts, and two rows of tiles, of which the one above is complete.
    let picture = 2 * pixelBytes(height, width)
    let tilesAcross = (width + tiles.step - 1) / tiles.step
    return picture + 2 * tilesAcross * pixelBytes(tileHeight, tileWidth) + blockBytes(tileHeight, tileWidth)
      + threads * bytesPerThread(tileHeight, tileWidth)
  }

  /// The same for a picture that is not cut, what threads take for themselves left out: whether a picture is cut must
  /// not depend on their number.
  func wholeBytes(height: Int, width: Int) -> Int {
    blockBytes(height, width) + pixelBytes(height, width)
  }

  /// The finished pixels.
  private func pixelBytes(_ height: Int, _ width: Int) -> Int {
    let scale = scale
    return height * scale * width * scale * outputChannels * MemoryLayout<Float>.stride
  }

  /// What the hungriest block needs.
  private func blockBytes(_ height: Int, _ width: Int) -> Int {
    let channels = Array(channels.reversed())
    var pixels = height * width
    // Residual blocks hold input and hidden state; attention its input, the normalized one, q, k, v and the output.
    var floats = pixels * (latentChannels + 2 * channels[0])
    if hasMidAttention { floats = max(floats, pixels * 6 * channels[0]) }
    for (index, outputs) in channels.enumerated() {
      let inputs = channels[max(0, index - 1)]
      floats = max(floats, pixels * (inputs == outputs ? 2 * outputs : inputs + 2 * outputs))
      if index < channels.count - 1 {
        // The small picture and the doubled one.
        floats = max(floats, pixels * outputs * 5)
        pixels *= 4
      }
    }
    floats = max(floats, pixels * (channels[0] + 2 * outputChannels))
    return floats * MemoryLayout<Float>.stride
  }

  /// What a thread takes for itself: the pixels of a convolution's tile, or the scores of the queries in work.
  private func bytesPerThread(_ height: Int, _ width: Int) -> Int {
    let pixels = height * width
    let scores = hasMidAttention ? min(pixels, Attention.queriesPerPiece) * pixels : 0
    return max(
      ConvolutionTile.scratchBytes(inputs: channels.max() ?? 1), scores * MemoryLayout<Float>.stride)
  }
}
