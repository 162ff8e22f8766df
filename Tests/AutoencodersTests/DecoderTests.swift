import Tensors
import Testing

@testable import Autoencoders

@Suite struct DecoderTests {
  private let vae = "\(DecoderGoldens.folder)/checkpoints/flux-dev-tiny/vae"

  private func latents(_ shape: [Int]) -> Tensor {
    var generator = TorchGenerator(seed: 7)
    return Tensor(generator.randn(shape.reduce(1, *)), shape: shape)
  }

  @Test func theNumberOfThreadsDoesNotChangeABit() throws {
    var decoder = try AutoencoderKLDecoder.reading(vae)
    decoder.tiles = LatentTiles(latentSize: 8, sampleSize: 64)
    defer { ThreadPool.shared.setThreads(2) }
    let z = latents([1, 16, 13, 21])
    for tiling in [Tiling.never, .always] {
      let pictures = try [1, 2, 4].map { threads in
        ThreadPool.shared.setThreads(threads)
        return try decoder.decode(z, tiling: tiling)
      }
      #expect(pictures.allSatisfy { $0 == pictures[0] })
    }
  }

  @Test func aPictureDoesNotDependOnItsNeighbours() throws {
    let decoder = try AutoencoderKLDecoder.reading(vae)
    let z = latents([2, 16, 5, 4])
    let both = try decoder.decode(z)  // `[2, 3, 40, 32]`
    let second = try decoder.decode(z.rows(16 * 5..<2 * 16 * 5).reshaped([1, 16, 5, 4]))
    #expect(both.rows(3 * 40..<6 * 40).elements == second.elements)
  }

  @Test func latentsAreUnscaled() throws {
    let unscaled = try AutoencoderKLDecoder.reading(vae).unscaled(Tensor([0, 0.3611], shape: [2]))
    #expect(unscaled.elements == [0.1159, 1.1159])
  }

  @Test(arguments: [[1, 4, 8, 8], [16, 8, 8], [1, 16, 0, 8], [0, 16, 8, 8]])
  func latentsOfAnotherShapeAreRefused(_ shape: [Int]) throws {
    let decoder = try AutoencoderKLDecoder.reading(vae)
    #expect {
      _ = try decoder.decode(Tensor(zeros: shape))
    } throws: { ($0 as? TensorError)?.tensor == "latents" }
  }

  @Test func aCancelledTaskStopsDecoding() async throws {
    let decoder = try AutoencoderKLDecoder.reading(vae)
    let z = latents([1, 16, 4, 4])
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try decoder.decode(z)
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func tilingBeginsAboveTheGivenBytes() throws {
    var decoder = try AutoencoderKLDecoder.reading(vae)
    decoder.tiles = LatentTiles(latentSize: 8, sampleSize: 64)
    let z = latents([1, 16, 13, 9])
    let whole = decoder.configuration.decodingBytes(height: 13, width: 9, threads: 0)
    let (cut, uncut) = (try decoder.decode(z, tiling: .always), try decoder.decode(z))
    #expect(try decoder.decode(z, tiling: .above(bytes: whole)) == uncut)
    #expect(try decoder.decode(z, tiling: .above(bytes: whole - 1)) == cut)
    #expect(
      decoder.configuration.decodingBytes(height: 13, width: 9, tiling: .above(bytes: whole), threads: 0) == whole)
    // A picture no larger than a tile is never cut.
    let small = latents([1, 16, 8, 8])
    #expect(try decoder.decode(small, tiling: .always) == decoder.decode(small))
  }

  @Test func tilesBoundTheMemoryOfALargePicture() throws {
    let decoder = try AutoencoderKLDecoder.reading(vae)
    let whole = decoder.configuration.decodingBytes(height: 512, width: 512)
    #expect(decoder.configuration.decodingBytes(height: 512, width: 512, tiling: .always) < whole / 2)
    // The finest resolution dominates: 24 channels come in, 16 go out.
    #expect(whole > 4096 * 4096 * 4 * (16 + 2 * 8))
  }

  @Test func pixelsAreRoundedHalfToEven() {
    #expect(Pixels.bytes(Tensor([0.5 / 255, 1.5 / 255, 1, -1, 2, .nan], shape: [6])) == [0, 2, 255, 0, 255, 0])
    // Channels come last, cut off at 0 and 1.
    let unit = Pixels.unit(Tensor([-3, 0, 1, 3], shape: [1, 2, 1, 2]))
    #expect(unit.shape == [1, 1, 2, 2] && unit.elements == [0, 1, 0.5, 1])
  }
}
