import Autoencoders
import Tensors

/// Decoding of latents by diffusers' `AutoencoderKLHunyuanVideo`, in tiles of frames, rows and columns.
enum VideoDecoderCase: CaseRunner {
  static let kinds: Set<String> = ["AutoencoderKLHunyuanVideo.decode"]

  static func run(_ comparison: GoldenComparison) async throws {
    let folder = try comparison.golden.requiredCheckpoint
    let config = try PartConfiguration(
      path: "\(comparison.golden.name) in manifest.json", json: comparison.golden.config)
    var decoder = try AutoencoderKLHunyuanVideoDecoder(
      AutoencoderKLHunyuanVideoConfiguration(PartConfiguration(path: "\(folder)/config.json")),
      Parameters(TensorStore(folder: folder), precision: .float32))
    let (sizes, strides) = (
      try config.integers("tile_sample_min", in: 1...1 << 16),
      try config.integers("tile_sample_stride", in: 1...1 << 16)
    )
    guard sizes.count == 3, strides.count == 3 else {
      throw config.error("tile_sample_min", "and tile_sample_stride are not three numbers each")
    }
    (decoder.tiles.frames, decoder.tiles.height, decoder.tiles.width) = (sizes[0], sizes[1], sizes[2])
    (decoder.tiles.frameStride, decoder.tiles.heightStride, decoder.tiles.widthStride) = (
      strides[0], strides[1], strides[2]
    )
    for row in 0..<(try comparison.batch("in.z")) {
      let probe = Probe { name, tensor in comparison.check("vae.\(name)", tensor, row: row) }
      _ = try decoder.decode(comparison.input("in.z", row: row), tiling: .always, probe: probe)
    }
  }
}
