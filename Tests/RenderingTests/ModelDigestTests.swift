import Foundation
import Rendering
import StrictJSON
import Tensors
import Testing

/// Digests of checkpoints, and the file in which they are remembered.
@Suite struct ModelDigestTests {
  /// A copy of a recorded checkpoint that may be changed, removed at the end.
  private final class Copy {
    let path: String
    private let folder: URL

    init(_ name: String) throws {
      folder = FileManager.default.temporaryDirectory.appending(path: "clusca-digest-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      path = "\(folder.path(percentEncoded: false))/model"
      try FileManager.default.copyItem(atPath: ModelDigestTests.checkpoints + name, toPath: path)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    var cache: String { "\(path)/../cache/clusca/digests.json" }

    /// Writes the transformer's tensors into one file instead of their shards.
    func join(_ change: (StoredTensor) throws -> StoredTensor = { $0 }) throws {
      let transformer = "\(path)/transformer"
      let store = try TensorStore(folder: transformer)
      let tensors = try store.names.reversed().map { try change(store.tensor($0)) }
      try SafetensorsWriter.write(tensors, to: "\(transformer)/joined")
      for file in try FileManager.default.contentsOfDirectory(atPath: transformer) where file.contains("safetensors") {
        try FileManager.default.removeItem(atPath: "\(transformer)/\(file)")
      }
      try FileManager.default.moveItem(
        atPath: "\(transformer)/joined", toPath: "\(transformer)/diffusion_pytorch_model.safetensors")
    }

    func set(_ file: String, _ key: String, _ value: JSONValue) throws {
      let url = URL(filePath: "\(path)/\(file)")
      var object = try #require(try JSONValue(parsing: [UInt8](Data(contentsOf: url))).object)
      // The keys come in another order, too.
      var changed = JSONObject()
      object[key] = value
      for key in object.keys.reversed() { changed[key] = object[key] }
      try Data(JSONValue.object(changed).text(pretty: true).utf8).write(to: url)
    }
  }

  static let checkpoints =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures/reference/checkpoints/"

  @Test func itDoesNotMatterHowTensorsAreSpreadOverFiles() throws {
    let copy = try Copy("flux-dev-tiny")
    let (transformer, whole) = (try ModelDigest.transformer(of: copy.path), try ModelDigest.checkpoint(copy.path))
    try copy.join()
    #expect(try ModelDigest.transformer(of: copy.path) == transformer)
    #expect(try ModelDigest.checkpoint(copy.path) == whole)
    #expect(transformer != whole)
  }

  @Test func oneBitOfOneTensorMatters() throws {
    let copy = try Copy("flux-dev-tiny")
    let digest = try ModelDigest.transformer(of: copy.path)
    var isFirst = true
    try copy.join { tensor in
      guard isFirst else { return tensor }
      isFirst = false
      var bytes = tensor.withBytes { [UInt8]($0) }
      bytes[0] ^= 1
      return try StoredTensor(name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: bytes)
    }
    #expect(try ModelDigest.transformer(of: copy.path) != digest)
  }

  @Test func settingsMatterButNotWhereTheyCameFrom() throws {
    let copy = try Copy("flux-dev-tiny")
    let (transformer, whole) = (try ModelDigest.transformer(of: copy.path), try ModelDigest.checkpoint(copy.path))
    try copy.set("transformer/config.json", "_diffusers_version", "9.9.9")
    #expect(try ModelDigest.transformer(of: copy.path) == transformer)
    try copy.set("scheduler/scheduler_config.json", "shift", 2.5)
    #expect(try ModelDigest.transformer(of: copy.path) == transformer)
    #expect(try ModelDigest.checkpoint(copy.path) != whole)
    try copy.set("transformer/config.json", "guidance_embeds", false)
    #expect(try ModelDigest.transformer(of: copy.path) != transformer)
  }

  @Test func aDigestIsRememberedUntilAFileChanges() throws {
    let copy = try Copy("dit-tiny")
    let cache = DigestCache(path: copy.cache)
    let digest = try ModelDigest.transformer(of: copy.path, remembering: cache)
    let text = try String(contentsOfFile: copy.cache, encoding: .utf8)
    #expect(text.contains(digest.description))
    // What stands in the file is believed.
    let zeros = String(repeating: "0", count: 64)
    try text.replacing(digest.description, with: zeros).write(toFile: copy.cache, atomically: false, encoding: .utf8)
    #expect(try ModelDigest.transformer(of: copy.path, remembering: cache).description == zeros)
    try copy.set("transformer/config.json", "_diffusers_version", "9.9.9")
    #expect(try ModelDigest.transformer(of: copy.path, remembering: cache) == digest)
    #expect(try !String(contentsOfFile: copy.cache, encoding: .utf8).contains(zeros))
  }

  @Test(arguments: ["", "{", "[]", "{\"digests\": 3}", "{\"digests\": [3, {\"of\": 1, \"sha256\": \"x\"}]}"])
  func aDamagedCacheIsWrittenAnew(contents: String) throws {
    let copy = try Copy("dit-tiny")
    let cache = DigestCache(path: copy.cache)
    let digest = try ModelDigest.transformer(of: copy.path, remembering: cache)
    try contents.write(toFile: copy.cache, atomically: false, encoding: .utf8)
    #expect(try ModelDigest.transformer(of: copy.path, remembering: cache) == digest)
    #expect(try String(contentsOfFile: copy.cache, encoding: .utf8).contains(digest.description))
  }

  @Test func aCacheThatCannotBeWrittenDoesNotMatter() throws {
    let digest = try ModelDigest.transformer(of: Self.checkpoints + "dit-tiny")
    let cache = DigestCache(path: "/proc/clusca/digests.json")
    #expect(try ModelDigest.transformer(of: Self.checkpoints + "dit-tiny", remembering: cache) == digest)
  }

  @Test func theCacheLiesWhereTheEnvironmentSays() {
    #expect(DigestCache(environment: ["XDG_CACHE_HOME": "/c", "HOME": "/h"])?.path == "/c/clusca/digests.json")
    #expect(DigestCache(environment: ["HOME": "/h"])?.path == "/h/.cache/clusca/digests.json")
    #expect(DigestCache(environment: [:]) == nil)
  }
}
