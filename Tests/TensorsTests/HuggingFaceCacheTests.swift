import Files
import Glibc
import Testing

@testable import Tensors

@Suite struct HuggingFaceCacheTests {
  static let commit = "0123456789abcdef0123456789abcdef01234567"
  let home: TemporaryFolder
  let cache: HuggingFaceCache
  var model: String { "\(cache.folder)/models--org--name" }
  var snapshot: String { "\(model)/snapshots/\(Self.commit)" }

  init() throws {
    home = try TemporaryFolder()
    cache = try HuggingFaceCache(environment: ["HF_HUB_CACHE": home.path])
  }

  /// A cache with one model, as huggingface_hub leaves it.
  func fill() throws {
    _ = try home.folder("models--org--name/blobs")
    _ = try home.folder("models--org--name/refs/refs/pr")
    _ = try home.folder("models--org--name/snapshots/\(Self.commit)/vae")
    try TestFiles.write(Self.commit, to: "\(model)/refs/main")
    try TestFiles.write(Self.commit + "\n", to: "\(model)/refs/refs/pr/1")
    try TestFiles.write("{}", to: "\(model)/blobs/aa")
    #expect(symlink("../../blobs/aa", "\(snapshot)/model_index.json") == 0)
    #expect(symlink("../../../blobs/aa", "\(snapshot)/vae/config.json") == 0)
  }

  func message(_ repository: String) -> String {
    do { return try cache.snapshotFolder(for: repository) } catch { return "\(error)" }
  }

  @Test func theEnvironmentSaysWhereTheCacheIs() throws {
    var environment = ["HOME": "/h"]
    func folder() throws -> String { try HuggingFaceCache(environment: environment).folder }
    #expect(try folder() == "/h/.cache/huggingface/hub")
    environment["XDG_CACHE_HOME"] = "/x"
    #expect(try folder() == "/x/huggingface/hub")
    environment["HF_HOME"] = "~/hf"
    #expect(try folder() == "/h/hf/hub")
    environment["HUGGINGFACE_HUB_CACHE"] = "/old"
    #expect(try folder() == "/old")
    environment["HF_HUB_CACHE"] = "/new"
    #expect(try folder() == "/new")
    environment["HF_HUB_CACHE"] = ""
    #expect(try folder() == "/old")
    #expect(throws: HuggingFaceCacheError.noCacheFolder) { try HuggingFaceCache(environment: ["HOME": ""]) }
  }

  @Test func branchesTagsAndCommitsAreFound() throws {
    try fill()
    #expect(try cache.snapshotFolder(for: "org/name") == snapshot)
    #expect(try cache.snapshotFolder(for: "org/name@main") == snapshot)
    #expect(try cache.snapshotFolder(for: "org/name@refs/pr/1") == snapshot)
    #expect(try cache.snapshotFolder(for: "org/name@\(Self.commit)") == snapshot)
    #expect(try TestFiles.read("\(snapshot)/vae/config.json") == Array("{}".utf8))
  }

  @Test func whatIsMissingIsNamedWithTheCommandThatFetchesIt() throws {
    #expect(
      message("org/name")
        == "org/name is not in the cache of Hugging Face, there is no \(model); download it with: hf download org/name")
    try fill()
    #expect(
      message("org/name@v2")
        == "org/name@v2 is not in the cache of Hugging Face, there is no \(model)/refs/v2; "
        + "download it with: hf download org/name --revision v2")
    let other = String(repeating: "f", count: 40)
    #expect(message("org/name@\(other)").contains("there is no \(model)/snapshots/\(other); "))
  }

  @Test(arguments: [
    "", "name", "org/", "/name", "org/name/more", "../name", "org/..", "org/a..b", "org/a--b", "-org/name", "org/name-",
    ".org/name", "org/name.", "org/na me", "org/nam\u{E9}", "org/name.git", "org/name@", "org/name@../x",
    "org/name@a//b",
    "org/name@/a", "org/name@a/./b", "org/name@-x", "org/name@a b", "org\0/name", "or\ng/name",
    "org/" + String(repeating: "a", count: 93),
  ])
  func namesThatAreNoRepositoriesAreRefused(name: String) throws {
    try fill()
    let error = #expect(throws: HuggingFaceCacheError.self) { try cache.snapshotFolder(for: name) }
    guard case .invalidRepository = error else {
      Issue.record("another reason: \(String(describing: error))")
      return
    }
    #expect(error?.description.contains("\n") == false)
  }

  @Test func ordinaryNamesAreRead() throws {
    let repository = try HuggingFaceRepository("black-forest-labs/FLUX.1-dev@refs/pr/3")
    #expect(repository.organisation == "black-forest-labs" && repository.name == "FLUX.1-dev")
    #expect(repository.revision == "refs/pr/3")
    #expect(repository.downloadCommand == "hf download black-forest-labs/FLUX.1-dev --revision refs/pr/3")
  }

  @Test(arguments: ["", "main", "../../../etc", String(repeating: "g", count: 40), commit + "0", commit + " x"])
  func referencesThatAreNoCommitsAreRefused(text: String) throws {
    try fill()
    try TestFiles.write(text, to: "\(model)/refs/main")
    #expect(throws: HuggingFaceCacheError.malformedReference(path: "\(model)/refs/main")) {
      try cache.snapshotFolder(for: "org/name")
    }
  }

  @Test func linksOutOfTheRepositoryAreRefused() throws {
    try fill()
    let secret = "\(home.path)/secret"
    try TestFiles.write("x", to: secret)
    for target in [secret, "../../../../secret", "/etc/passwd"] {
      #expect(symlink(target, "\(snapshot)/vae/link") == 0)
      let error = #expect(throws: HuggingFaceCacheError.self) { try cache.snapshotFolder(for: "org/name") }
      #expect(error?.description.contains("it leads out of the repository's folder") == true)
      unlink("\(snapshot)/vae/link")
    }
    #expect(symlink("../../blobs", "\(snapshot)/link") == 0)
    #expect(message("org/name").hasSuffix("this link is not followed, it leads to a folder"))
  }

  @Test func aRepositoryNamedLikeTheBeginningOfAnotherIsNotItsFolder() throws {
    try fill()
    _ = try home.folder("models--org--name2")
    try TestFiles.write("x", to: "\(home.path)/models--org--name2/file")
    #expect(symlink("\(home.path)/models--org--name2/file", "\(snapshot)/link") == 0)
    #expect(throws: HuggingFaceCacheError.self) { try cache.snapshotFolder(for: "org/name") }
  }

  @Test func aSnapshotElsewhereIsRefused() throws {
    try fill()
    let other = String(repeating: "e", count: 40)
    _ = try home.folder("elsewhere")
    #expect(symlink("\(home.path)/elsewhere", "\(model)/snapshots/\(other)") == 0)
    #expect(throws: HuggingFaceCacheError.self) { try cache.snapshotFolder(for: "org/name@\(other)") }
  }

  @Test func filesThatAreNotDownloadedYetAreNoObstacle() throws {
    try fill()
    #expect(symlink("../../blobs/bb", "\(snapshot)/model.safetensors") == 0)
    #expect(try cache.snapshotFolder(for: "org/name") == snapshot)
    #expect(throws: FileError.self) { try TensorStore(folder: snapshot) }
  }

  @Test func theCacheItselfMayStandBehindALink() throws {
    try fill()
    let link = try TemporaryFolder()
    #expect(symlink(home.path, "\(link.path)/hub") == 0)
    let cache = try HuggingFaceCache(environment: ["HF_HOME": link.path])
    #expect(try cache.snapshotFolder(for: "org/name").hasPrefix("\(link.path)/hub/models--org--name/snapshots/"))
  }
}
