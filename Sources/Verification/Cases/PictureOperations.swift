import Autoencoders
import Rendering
import Tensors
import Transformers

/// What happens to latents and pictures: the autoencoder's layers, FLUX' packing, rounding to bytes.
enum PictureOperations {
  static func run(_ comparison: GoldenComparison) throws {
    try autoencoder(comparison)
    try packing(comparison)
    let unit = Pixels.unit(try comparison.input("pixels.in"))
    comparison.check("pixels.np", unit)
    comparison.check("pixels.u8", integers: Pixels.bytes(unit).map(Int64.init))
  }

  private static func autoencoder(_ comparison: GoldenComparison) throws {
    let x = try comparison.input("img.x").channelsLast(picture: 0)  // [height, width, channels]
    let channels = x.columns

    let residual = try ResidualBlock(
      comparison.parameters("resnet2d"), inputs: channels, outputs: channels * 3 / 2, groups: 4)
    for (name, picture) in [("resnet2d.out", x), ("small.resnet2d.out", try small(comparison))] {
      var picture = picture
      residual(&picture)
      comparison.check(name, picture.planar())
    }
    let doubling = try Convolution(
      comparison.parameters("upsample2d").module("conv"), .doubling, inputs: channels, outputs: channels)
    comparison.check("upsample2d.out", doubling(x).planar())

    var attended = x
    try MidAttention(comparison.parameters("midattn"), channels: channels, groups: 4)(&attended)
    comparison.check("midattn.out", attended.planar())
  }

  private static func small(_ comparison: GoldenComparison) throws -> Tensor {
    try comparison.input("small.img").channelsLast(picture: 0)
  }

  private static func packing(_ comparison: GoldenComparison) throws {
    var grid = TokenGrid(rows: 0, columns: 0)
    for row in 0..<(try comparison.batch("flux_pack.latents")) {
      let latents = try comparison.input("flux_pack.latents", row: row)  // [channels, height, width]
      grid = TokenGrid(rows: latents.shape[1] / 2, columns: latents.shape[2] / 2)
      let packed = LatentPacking.pack(latents)
      comparison.check("flux_pack.packed", packed, row: row)
      comparison.check(
        "flux_pack.unpacked", LatentPacking.unpack(packed, rows: grid.rows, columns: grid.columns), row: row)
    }
    comparison.check("flux_pack.img_ids", grid.positions.flatMap { $0.map(Double.init) })
  }
}
