import Files
import StrictJSON
import Tensors

/// A checkpoint in the layout of diffusers: `model_index.json` and a folder for each part.
public struct PipelineFolder: Sendable {
  public let path: String
  /// The pipeline's class, such as `FluxPipeline`.
  public let className: String
  /// `model_index.json`
  let index: PartConfiguration

  /// Reads the index.
  ///
  /// - Throws: `FileError` if there is none or if it cannot be read.
  public init(_ path: String) throws {
    self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    let indexPath = "\(self.path)/model_index.json"
    guard Folder.isRegularFile(indexPath) else {
      throw FileError(
        path: self.path, reason: "holds no model_index.json, so it is no checkpoint in the layout of diffusers")
    }
    index = try PartConfiguration(path: indexPath)
    className = try index.string("_class_name")
  }

  /// The folder of a part that the index lists.
  ///
  /// - Throws: `FileError`, also if the index lists a folder that does not exist.
  public func folder(_ part: String) throws -> String {
    guard let entry = index.json[part]?.array, entry.count == 2, !entry[1].isNull else {
      throw index.error(part, "is missing, but a \(className) needs it")
    }
    let folder = "\(path)/\(part)"
    guard Folder.isFolder(folder) else {
      throw FileError(path: folder, reason: "does not exist, but model_index.json lists it")
    }
    return folder
  }

  /// A part's settings, `config.json` unless named otherwise.
  public func configuration(_ part: String, file: String = "config.json") throws -> PartConfiguration {
    try PartConfiguration(path: "\(folder(part))/\(file)")
  }

  /// A part's weights.
  public func weights(_ part: String) throws -> TensorStore { try TensorStore(folder: folder(part)) }

  /// The file of settings beside the index that says what the model was trained for; nil if there is none.
  public func settings() throws -> PartConfiguration? {
    let path = "\(path)/settings.json"
    return Folder.isRegularFile(path) ? try PartConfiguration(path: path) : nil
  }
}
