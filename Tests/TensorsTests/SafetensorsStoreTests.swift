import Files
import Testing

@testable import Tensors

@Suite struct SafetensorsStoreTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func write(_ name: String, _ tensors: [String], value: Float = 1) throws {
    let tensors = try tensors.map { try StoredTensor(name: $0, shape: [1], values: [value]) }
    try SafetensorsWriter.write(tensors, to: "\(folder.path)/\(name)")
  }

  func write(index: String, _ map: [(String, String)]) throws {
    let members = map.map { "\"\($0)\":\"\($1)\"" }.joined(separator: ",")
    try TestFiles.write(
      #"{"metadata":{"total_size":8},"weight_map":{\#(members)}}"#, to: "\(folder.path)/\(index)")
  }

  func open(_ baseNames: [String] = TensorStore.standardBaseNames) throws -> TensorStore {
    try TensorStore(folder: folder.path, baseNames: baseNames)
  }

  func message(_ baseNames: [String] = TensorStore.standardBaseNames) throws -> String {
    do {
      _ = try open(baseNames)
      return "opened"
    } catch {
      let text = "\(error)"
      #expect(text.hasPrefix(folder.path) && !text.contains("\n"))
      return String(text.dropFirst(folder.path.count))
    }
  }

  @Test func aSingleFileIsAStore() throws {
    try write("model.safetensors", ["a", "b"])
    let store = try open()
    #expect(store.names == ["a", "b"] && store.byteCount == 8)
    #expect(store.contains("a") && !store.contains("c") && store["c"] == nil)
    #expect(try store.tensor("b").float32Values() == [1])
    let error = #expect(throws: SafetensorsError.self) { try store.tensor("c") }
    #expect(error?.description == "\(folder.path)/model.safetensors: tensor c: there is no such tensor")
  }

  @Test func shardsAreOneStore() throws {
    try write("model-00001-of-00002.safetensors", ["a"], value: 1)
    try write("model-00002-of-00002.safetensors", ["b", "extra"], value: 2)
    let index = [("b", "model-00002-of-00002.safetensors"), ("a", "model-00001-of-00002.safetensors")]
    try write(index: "model.safetensors.index.json", index)
    let store = try open()
    #expect(store.files.count == 2 && store.byteCount == 12)
    #expect(Set(store.names) == ["a", "b", "extra"])
    #expect(try store.tensor("b").float32Values() == [2])
  }

  @Test func preferredNamesWinOverVariantsAndOtherFiles() throws {
    try write("other.safetensors", ["other"])
    #expect(try open().names == ["other"])
    try write("model.bf16.safetensors", ["bf16"])
    #expect(try open().names == ["bf16"])
    try write("model.fp16.safetensors", ["fp16"])
    #expect(try open().names == ["fp16"])
    try write("model-00001-of-00001.safetensors", ["sharded"])
    try write(index: "model.safetensors.index.json", [("sharded", "model-00001-of-00001.safetensors")])
    #expect(try open().names == ["sharded"])
    try write("model.safetensors", ["single"])
    #expect(try open().names == ["single"])
    try write("diffusion_pytorch_model.safetensors", ["diffusers"])
    #expect(try open().names == ["diffusers"])
    #expect(try open(["model"]).names == ["single"])
    #expect(try open(["absent", "other"]).names == ["other"])
  }

  @Test func aVariantMayBeSharded() throws {
    try write("model.fp16-00001-of-00001.safetensors", ["a"])
    try write(index: "model.safetensors.index.fp16.json", [("a", "model.fp16-00001-of-00001.safetensors")])
    #expect(try open().names == ["a"])
  }

  @Test func severalStrangersAreNotGuessedBetween() throws {
    try write("x.safetensors", ["a"])
    try write("y.safetensors", ["a"])
    #expect(try message() == ": holds several checkpoints, name one of them: x.safetensors, y.safetensors")
  }

  @Test func shardsWithoutIndexAreNotTakenForTheWhole() throws {
    try write("model-00001-of-00002.safetensors", ["a"])
    #expect(
      try message()
        == ": holds shards (model-00001-of-00002.safetensors) but not their index, *.safetensors.index.json")
  }

  @Test func aMissingShardIsNamedWithItsPath() throws {
    try write("model-00001-of-00002.safetensors", ["a"])
    let index = [("a", "model-00001-of-00002.safetensors"), ("b", "model-00002-of-00002.safetensors")]
    try write(index: "model.safetensors.index.json", index)
    #expect(try message() == "/model-00002-of-00002.safetensors: this part of the checkpoint is missing")
  }

  @Test func promisedButAbsentTensorsAreNamed() throws {
    try write("s.safetensors", ["a"])
    try write(index: "model.safetensors.index.json", [("a", "s.safetensors"), ("b", "s.safetensors")])
    #expect(
      try message() == "/s.safetensors: tensor b: the index promises it here, but the file does not hold it")
  }

  @Test func aTensorInTwoShardsIsRefused() throws {
    try write("s1.safetensors", ["a", "b"])
    try write("s2.safetensors", ["b"])
    try write(index: "model.safetensors.index.json", [("a", "s1.safetensors"), ("b", "s2.safetensors")])
    #expect(try message() == "/s2.safetensors: tensor b: it stands in \(folder.path)/s1.safetensors too")
  }

  @Test(arguments: [
    "../s.safetensors", "/etc/s.safetensors", "sub/s.safetensors", ".s.safetensors", "..", "", "s.bin",
    "s.safetensors\\u0000",
    "s\\n.safetensors",
  ])
  func shardNamesThatArePathsAreRefused(name: String) throws {
    try write("s.safetensors", ["a"])
    try write(index: "model.safetensors.index.json", [("a", name)])
    let text = try message()
    #expect(text.hasPrefix("/model.safetensors.index.json: tensor a: the index is not valid"))
    #expect(text.hasSuffix("is not a plain *.safetensors name"))
  }

  @Test(arguments: ["", "[]", "{}", #"{"weight_map":[]}"#, #"{"weight_map":{}}"#, #"{"weight_map":{"a":1}}"#, "{"])
  func malformedIndicesAreRefused(text: String) throws {
    try TestFiles.write(text, to: "\(folder.path)/model.safetensors.index.json")
    #expect(try message().contains("the index is not valid: "))
  }

  @Test func otherFormatsAreNamedWithTheWayOut() throws {
    try TestFiles.write("", to: "\(folder.path)/diffusion_pytorch_model.bin")
    let text = try message()
    #expect(text.hasPrefix(": holds weights only as diffusion_pytorch_model.bin, but only safetensors are read"))
    #expect(text.contains("safe_serialization=True"))
  }

  @Test func anEmptyOrAbsentFolderIsNamed() throws {
    #expect(
      try message() == ": holds no weights; expected diffusion_pytorch_model.safetensors or model.safetensors")
    #expect(throws: FileError.self) { try TensorStore(folder: "\(folder.path)/absent") }
  }
}
