import Tensors

/// Tiled decoding as diffusers has it (`AutoencoderKL.tiled_decode`): squares that overlap by a quarter are decoded on
/// their own and faded into each other.
public struct LatentTiles: Sendable, Hashable {
  /// The side of a tile in latents (`tile_latent_min_size`).
  public var latentSize: Int
  /// The side of a tile in pixels (`tile_sample_min_size`).
  public var sampleSize: Int
  /// The part of a tile that it shares with the next (`tile_overlap_factor`).
  public var overlap = 0.25

  public init(latentSize: Int, sampleSize: Int) {
    self.latentSize = latentSize
    self.sampleSize = sampleSize
  }

  /// Tiles as large as the pictures of the training.
  public init(_ configuration: AutoencoderKLConfiguration) {
    self.init(latentSize: configuration.sampleSize / configuration.scale, sampleSize: configuration.sampleSize)
  }

  /// Latents from the beginning of a tile to that of the next.
  var step: Int { Int(Double(latentSize) * (1 - overlap)) }
  /// Pixels over which a tile fades into the next.
  var blend: Int { Int(Double(sampleSize) * overlap) }

  /// Whether a picture of that size in latents is cut.
  func callAsFunction(_ tiling: Tiling, height: Int, width: Int, _ configuration: AutoencoderKLConfiguration) -> Bool {
    // Where the sizes do not fit each other, diffusers' tiles would leave gaps or overlaps.
    guard max(height, width) > latentSize, step > 0, sampleSize - blend == step * configuration.scale else {
      return false
    }
    return switch tiling {
    case .never: false
    case .always: true
    case .above(let bytes): configuration.wholeBytes(height: height, width: width) > bytes
    }
  }

  /// Decodes `[height, width, latent channels]` → `[scale · height, scale · width, channels]` by tiles.
  func decode(
    _ z: Tensor, scale: Int, channels: Int, _ decodeTile: (Tensor) throws -> Tensor
  ) throws -> Tensor {
    let (height, width) = (z.shape[0], z.shape[1])
    let limit = sampleSize - blend
    var result = Tensor(uninitialized: [height * scale, width * scale, channels])
    // A tile fades into neighbours that have faded into theirs: one row of tiles stays for the next.
    var above: [Tensor] = []
    for top in stride(from: 0, to: height, by: step) {
      var row: [Tensor] = []
      for left in stride(from: 0, to: width, by: step) {
        let rows = top..<min(height, top + latentSize)
        var tile = try decodeTile(z.cut(rows: rows, columns: left..<min(width, left + latentSize)))
        if !above.isEmpty { tile.fade(from: above[row.count], rows: blend) }
        if let before = row.last { tile.fade(from: before, columns: blend) }
        result.paste(
          tile, rows: min(limit, tile.shape[0]), columns: min(limit, tile.shape[1]), top: top * scale,
          left: left * scale)
        row.append(tile)
      }
      above = row
    }
    return result
  }
}
