import Files
import Tensors

/// The families that can be rendered.
public enum RenderModels {
  /// The families by the classes of their pipelines.
  public static let families = [
    "FluxPipeline": "flux", "DiTPipeline": "dit", "HunyuanVideoPipeline": "hunyuan",
  ]

  /// Opens a checkpoint, of whatever family it is.
  ///
  /// - Throws: `FileError` for an architecture that is not known, and whatever is wrong with the checkpoint.
  public static func open(_ reference: ModelReference) throws -> any RenderModel {
    guard case .folder(let path) = reference else {
      throw FileError(path: "\(reference)", reason: "is a single file, whose parts must be given one by one")
    }
    let folder = try PipelineFolder(path)
    switch folder.className {
    case "FluxPipeline": return FluxModel(try FluxCheckpoint(folder))
    case "DiTPipeline": return DiTModel(try DiTCheckpoint(folder))
    case "HunyuanVideoPipeline": return HunyuanVideoModel(try HunyuanVideoCheckpoint(folder))
    default:
      throw FileError(
        path: "\(folder.path)/model_index.json",
        reason: "is for a \(folder.className), which cannot be rendered; known are "
          + families.keys.sorted().joined(separator: ", "))
    }
  }

  /// What packs the matrices of a model's transformer.
  ///
  /// - Throws: what is wrong with the checkpoint.
  public static func packing(_ reference: ModelReference, _ form: PackedForm) throws -> MatrixPacking {
    try MatrixPacking(form) { packed in
      switch reference {
      case .folder: _ = try open(reference).loadTransformer(form.precision, blocks: nil, packed: packed)
      case .file(let path): _ = try FluxCheckpoint.loadTransformer(file: path, form.precision, packed: packed)
      }
    }
  }
}
