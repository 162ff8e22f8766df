import Files
import Media
import Tensors

/// What the argument of `inspect` turned out to be.
enum InspectionSubject {
  case checkpoint(folder: String)
  case part(folder: String)
  case weights(path: String)
  case picture(path: String)
  case video(path: String)

  init(_ path: String) throws {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw CommandFailure(.usage, "The path to inspect is empty or holds a zero byte.")
    }
    if Folder.isFolder(path) {
      self = try Self.folder(path)
    } else if FileKind.exists(path) {
      self = try Self.file(path)
    } else if let repository = try? HuggingFaceRepository(path) {
      let cache = try HuggingFaceCache(environment: Environment.variables)
      do {
        self = try Self.folder(try cache.snapshotFolder(for: repository))
      } catch let error as HuggingFaceCacheError {
        throw CommandFailure(.input, "There is no file or folder \(path), and \(error)")
      }
    } else {
      throw CommandFailure(.input, "There is no file or folder \(path).")
    }
  }

  private static func folder(_ path: String) throws -> InspectionSubject {
    let names = try Folder.names(in: path)
    if names.contains("model_index.json") { return .checkpoint(folder: path) }
    let isPart = names.contains { name in
      name == "config.json" || name.hasSuffix(".safetensors") || name.hasSuffix(".safetensors.index.json")
    }
    guard isPart else {
      throw CommandFailure(
        .input,
        "\(path) is no checkpoint: it holds neither model_index.json (a pipeline of diffusers) nor config.json or "
          + ".safetensors files (a part of one).")
    }
    return .part(folder: path)
  }

  private static func file(_ path: String) throws -> InspectionSubject {
    let lowercased = path.lowercased()
    if lowercased.hasSuffix(".safetensors") || lowercased.hasSuffix(".index.json") { return .weights(path: path) }
    let file = try RegularFile(path: path)
    let head = try file.bytes(0..<min(8, file.byteCount))
    if head == FileKind.pngSignature { return .picture(path: path) }
    if lowercased.hasSuffix(".mp4"), head.dropFirst(4).elementsEqual("ftyp".utf8) { return .video(path: path) }
    throw CommandFailure(
      .input,
      "\(path) is \(FileKind.name(path: path, head: head)); inspect reads folders, .safetensors files, PNGs and MP4s."
    )
  }

  func report() throws -> any InspectionReport {
    switch self {
    case .checkpoint(let folder): try CheckpointReport(folder: folder)
    case .part(let folder): PartReport(name: nil, declaredClass: nil, folder: folder)
    case .weights(let path): try WeightsReport(path: path)
    case .picture(let path): try PictureReport(path: path)
    case .video(let path): try VideoReport(path: path)
    }
  }
}
