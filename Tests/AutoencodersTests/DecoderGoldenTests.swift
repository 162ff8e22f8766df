import Tensors
import Testing

@testable import Autoencoders

@Suite struct DecoderGoldenTests {
  @Test(arguments: [
    "flux_dev_64x64_n4", "flux_dev_96x160_n3_b2", "flux_dev_100x70_floor_empty", "flux_dev_48x80_truecfg",
    "flux_dev_64x48_long512", "flux_schnell_64x96_n4", "flux_schnell_48x48_n1",
  ])
  func picturesAreThoseOfDiffusers(_ name: String) throws {
    let goldens = try DecoderGoldens(name)
    let seen = ProbedTensors()
    let decoded = try goldens.decoder().decode(goldens.tensor("vae.in"), probe: seen.probe)
    try goldens.compare(decoded, with: "vae.out")
    for module in goldens.file.names where module.hasPrefix("vae.decoder") {
      try goldens.compare(seen.all[String(module.dropFirst(4))], with: module)
    }
    let pixels = Pixels.unit(decoded)
    try goldens.compare(pixels, with: "pixels")
    let bytes = try #require(goldens.file["pixels_u8"]).int64Values()
    let differences = zip(Pixels.bytes(pixels), bytes).map { abs(Int64($0) - $1) }
    #expect(differences.count == bytes.count && differences.allSatisfy { $0 <= 1 })
    #expect(differences.count { $0 == 1 } * 1000 < differences.count)
  }

  @Test func aSingleLatentDecodes() throws {
    let goldens = try DecoderGoldens("vae_flux_1x1")
    let seen = ProbedTensors()
    let decoded = try goldens.decoder().decode(goldens.tensor("in.z"), probe: seen.probe)
    try goldens.compare(decoded, with: "vae.out")
    for module in goldens.file.names where module.hasPrefix("vae.") {
      try goldens.compare(seen.all[String(module.dropFirst(4))], with: module)
    }
  }

  @Test func tilesFadeAsInDiffusers() throws {
    let goldens = try DecoderGoldens("vae_flux_20x13_tiled")
    var decoder = try goldens.decoder()
    decoder.tiles = LatentTiles(latentSize: 8, sampleSize: 64)
    let latents = try goldens.tensor("in.z")
    let tiled = try decoder.decode(latents, tiling: .always)
    try goldens.compare(tiled, with: "vae.out")
    #expect(try decoder.decode(latents) != tiled)
  }
}
