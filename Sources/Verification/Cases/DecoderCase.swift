import Autoencoders
import Tensors

/// Decoding of latents by diffusers' `AutoencoderKL`, whole and in tiles.
enum DecoderCase: CaseRunner {
  static let kinds: Set<String> = ["AutoencoderKL.decode (no latent scaling)"]

  static func run(_ comparison: GoldenComparison) async throws {
    let folder = try comparison.golden.requiredCheckpoint
    let config = try PartConfiguration(
      path: "\(comparison.golden.name) in manifest.json", json: comparison.golden.config)
    var decoder = try AutoencoderKLDecoder(
      AutoencoderKLConfiguration(PartConfiguration(path: "\(folder)/config.json")),
      Parameters(TensorStore(folder: folder), precision: .float32))
    let isTiled = try config.bool("tiled", default: false)
    if isTiled {
      decoder.tiles.latentSize = try config.integer(
        "tile_latent_min_size", default: decoder.tiles.latentSize, in: 1...1 << 16)
      decoder.tiles.sampleSize = try config.integer(
        "tile_sample_min_size", default: decoder.tiles.sampleSize, in: 1...1 << 16)
      decoder.tiles.overlap = try config.number("tile_overlap_factor", default: decoder.tiles.overlap)
    }
    for row in 0..<(try comparison.batch("in.z")) {
      let latents = try comparison.input("in.z", row: row)
      let probe = Probe { name, tensor in comparison.check("vae.\(name)", tensor, row: row) }
      _ = try decoder.decode(
        latents.reshaped([1] + latents.shape), tiling: isTiled ? .always : .never, probe: probe)
    }
  }
}
