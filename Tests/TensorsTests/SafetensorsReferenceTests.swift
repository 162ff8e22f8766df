import Testing

@testable import Tensors

/// Files that the reference implementation of the format has written.
@Suite struct SafetensorsReferenceTests {
  @Test func aFileOfThePythonLibraryOpens() throws {
    let file = try SafetensorsFile(path: "\(TestFiles.fixtures)/reference/out/unit_rng.safetensors")
    #expect(file.names.count > 90)
    let noise = try #require(file["randn.seed42.n16"])
    #expect(noise.dtype == .float32 && noise.shape == [16])
    #expect(try noise.float32Values().prefix(2) == [1.9269152879714966, 1.4872840642929077])
    let permutation = try #require(file["randperm.seed0.n20"])
    #expect(try permutation.int64Values().sorted() == Array(0..<20))
  }

  @Test func aShardedTextEncoderOpensAsOneStore() throws {
    let folder = "\(TestFiles.fixtures)/reference/checkpoints/flux-dev-tiny/text_encoder_2"
    let store = try TensorStore(folder: folder)
    #expect(store.files.count == 3)
    #expect(store.byteCount == store.names.reduce(0) { $0 + (store[$1]?.byteCount ?? 0) })
    #expect(store.contains("encoder.final_layer_norm.weight"))
    #expect(try store.tensor("encoder.final_layer_norm.weight").shape.count == 1)
    #expect(throws: SafetensorsError(path: store.path, tensor: "decoder", .missing)) { try store.tensor("decoder") }
  }
}
