import DefaultModels
import Rendering

/// The models that come with the program, by the names that `--model` and pictures have for them.
enum DefaultModel: String, CaseIterable {
  /// A FLUX.
  case prompts = "default"
  /// A DiT.
  case classes = "default-dit"
  /// A HunyuanVideo.
  case videos = "default-hunyuan"

  /// The one that makes what is asked for; classes and prompts in one list get that for prompts, which says what is wrong.
  /// - Parameter frames: how many are asked for, if a number is.
  init(for entries: [PromptEntry], frames: Int?) {
    let areClasses = !entries.isEmpty && entries.allSatisfy { $0.classLabel != nil }
    self = areClasses ? .classes : frames != nil ? .videos : .prompts
  }

  var name: String { rawValue }

  /// Its place among the models that are installed.
  private var folder: String {
    switch self {
    case .prompts: "flux"
    case .classes: "dit"
    case .videos: "hunyuan"
    }
  }

  func reference() throws -> ModelReference {
    guard let path = DefaultModels.folder(folder) else {
      throw CommandFailure(
        .input,
        "The model \(name) that comes with clusca was not found beside the program or in ../share/clusca; give another "
          + "with --model.")
    }
    return .folder(path)
  }

  /// The model of a name, be it one of these or another.
  static func reference(_ name: String) throws -> ModelReference {
    try DefaultModel(rawValue: name)?.reference() ?? ModelReference(name, environment: Environment.variables)
  }
}
