import Files
import Rendering
import Tensors
import Testing

/// DiT under the names of its authors.
@Suite struct DiTOriginalNamesTests {
  private let store: TensorStore

  init() throws { store = try TensorStore(folder: "\(SeededDiTTests.folder)/transformer") }

  private func tensor(_ name: String, as original: String) throws -> StoredTensor {
    try store.tensor(name).renamed(original)
  }

  /// The fixture, whose blocks share one embedder, as the authors would have it.
  private func original() throws -> [StoredTensor] {
    var tensors: [StoredTensor] = []
    for kind in ["weight", "bias"] {
      for (old, new) in [
        ("x_embedder.proj", "pos_embed.proj"), ("final_layer.linear", "proj_out_2"),
        ("final_layer.adaLN_modulation.1", "proj_out_1"),
        ("t_embedder.mlp.0", "transformer_blocks.0.norm1.emb.timestep_embedder.linear_1"),
        ("t_embedder.mlp.2", "transformer_blocks.0.norm1.emb.timestep_embedder.linear_2"),
      ] {
        tensors.append(try tensor("\(new).\(kind)", as: "\(old).\(kind)"))
      }
      for index in 0..<4 {
        let block = "transformer_blocks.\(index)"
        for (old, new) in [
          ("adaLN_modulation.1", "norm1.linear"), ("attn.proj", "attn1.to_out.0"), ("mlp.fc1", "ff.net.0.proj"),
          ("mlp.fc2", "ff.net.2"),
        ] {
          tensors.append(try tensor("\(block).\(new).\(kind)", as: "blocks.\(index).\(old).\(kind)"))
        }
        let parts = try ["to_q", "to_k", "to_v"].map { try store.tensor("\(block).attn1.\($0).\(kind)") }
        tensors.append(
          try StoredTensor(
            name: "blocks.\(index).attn.qkv.\(kind)", dtype: .float32,
            shape: [3 * parts[0].shape[0]] + parts[0].shape.dropFirst(),
            bytes: parts.flatMap { $0.withBytes { [UInt8]($0) } }))
      }
    }
    let table = "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight"
    let positions = try StoredTensor(name: "pos_embed", shape: [1, 1], values: [0])
    return tensors + [try tensor(table, as: "y_embedder.embedding_table.weight"), positions]
  }

  @Test func theyBecomeThoseOfDiffusersWithTheSameBytes() throws {
    let converted = try DiTOriginalNames.converted(original(), path: "x.pt")
    #expect(Set(converted.map(\.name)) == Set(store.names) && converted.count == store.names.count)
    for tensor in converted {
      let expected = try store.tensor(tensor.name)
      #expect(tensor.shape == expected.shape && tensor.dtype == expected.dtype)
      #expect(tensor.withBytes { [UInt8]($0) } == expected.withBytes { [UInt8]($0) }, "\(tensor.name)")
    }
  }

  @Test(arguments: ["other.weight", "blocks.x.mlp.fc1.bias", "blocks.0.other", "blocks.-1.mlp.fc1.bias", "blocks.0"])
  func tensorsThatNoDiTHasAreNamed(name: String) throws {
    let other = try StoredTensor(name: name, shape: [4], values: [0, 0, 0, 0])
    let error = #expect(throws: FileError.self) {
      try DiTOriginalNames.converted(original() + [other], path: "x.pt")
    }
    #expect(error?.description.contains(name) == true)
    #expect(throws: FileError.self) { try DiTOriginalNames.converted([other], path: "x.pt") }
  }
}
