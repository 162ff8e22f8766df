import ArgumentParser
import Files
import Rendering
import Tensors

/// `clusca pack`: the matrices of a transformer in the form in which they are multiplied, in a file that is mapped.
struct Pack: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a transformer's weights in the form in which they are used, so that it starts at once.",
    discussion: """
      Without it, weights for --dtype bf16 and int8 are packed into memory at each start. The file lies in the folder for \
      caches, $XDG_CACHE_HOME/clusca/packed or ~/.cache/clusca/packed, where generate, bench, check, compare and worker \
      find it by themselves; its pages are shared between processes, and where the memory is too small for all blocks, \
      generate reads some from it at each full step. Pictures are the same bit for bit. It is good for this model, this \
      --dtype and processors with the same instructions; others don't use it. It can be deleted at any time.
      """)

  @Argument(
    help: ArgumentHelp(
      "A folder in the layout of diffusers, a single FLUX file, or the name org/name of a repository in the local "
        + "Hugging Face cache.", valueName: "model"), completion: .directory)
  var model: String

  @Option(help: ArgumentHelp("bf16 or int8; float32 needs no packing.", valueName: "precision"))
  var dtype = Precision.bfloat16

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where to write instead, such as the cache folder of another machine; the name must stay for it to be found.",
      valueName: "file"), completion: .file(extensions: ["safetensors"]))
  var output: String?

  @Flag(help: "Write a file anew that is there already.")
  var force = false

  @Flag(help: "Write nothing: read the file that was written and compare it with its SHA-256.")
  var verify = false

  @Flag(name: .shortAndLong, help: "Say nothing but errors.")
  var quiet = false

  func validate() throws {
    guard dtype != .float32 else {
      throw ValidationError("--dtype float32 needs no packing: such weights are used where the checkpoint is mapped")
    }
    guard !(verify && force) else { throw ValidationError("--force does not go with --verify") }
  }

  func run() async throws {
    let reference = try DefaultModel.reference(model)
    let cache = DigestCache(environment: Environment.variables)
    let form = PackedForm(digest: try digest(of: reference, cache), precision: dtype)
    guard let path = output ?? cache.map({ "\($0.packedFolder)/\(form.fileName)" }) else {
      throw CommandFailure(.usage, "There is no folder for caches; set XDG_CACHE_HOME or HOME, or give --output.")
    }
    if verify {
      try check(PackedFile(path: path, form: form))
    } else {
      try write(RenderModels.packing(reference, form), form, to: path)
    }
    try StandardOutput.write(path)
  }

  private func digest(of reference: ModelReference, _ cache: DigestCache?) throws -> SHA256.Digest {
    let progress = ProgressLine(steps: 1, isShown: !quiet)
    defer { progress.clear() }
    progress.phase("reading the model")
    let path =
      switch reference {
      case .folder(let path), .file(let path): path
      }
    return try ModelDigest.transformer(of: path, remembering: cache)
  }

  private func write(_ packing: MatrixPacking, _ form: PackedForm, to path: String) throws {
    if Folder.isRegularFile(path), !force {
      if (try? PackedFile(path: path, form: form)) != nil {
        if !quiet { StandardError.write("clusca: The weights are packed already; --force writes them anew.") }
        return
      }
      guard output == nil else {
        throw CommandFailure(.output, "\(path) exists; give another name, or --force to replace it.")
      }
    }
    try AtomicFile.check(path, ifExists: .overwrite, createFolders: true)
    let bytes = try packing.byteCount
    if let space = DiskSpace(of: Folder.of(path)), space.available < UInt64(bytes) {
      throw CommandFailure(
        .output,
        "\(path) would take \(ByteCount(bytes)), but the disk has \(ByteCount(Int(clamping: space.available))) left.")
    }
    let progress = ProgressLine(steps: packing.count, isShown: !quiet)
    defer { progress.clear() }
    try packing.write(to: path) { done in
      try Task.checkCancellation()
      if done > 0 { progress.finishedStep(kind: "packed") }
    }
    if !quiet { StandardError.write("clusca: \(packing.count) matrices, \(ByteCount(bytes)).") }
  }

  private func check(_ file: PackedFile) throws {
    let progress = ProgressLine(steps: 1, isShown: !quiet)
    defer { progress.clear() }
    try file.verify { bytes in
      try Task.checkCancellation()
      progress.phase("\(ByteCount(bytes)) of \(ByteCount(file.byteCount)) are as they were written")
    }
  }
}
