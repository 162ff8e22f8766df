import DefaultModels
import Rendering

/// The model that comes with the program.
enum DefaultModel {
  static let name = "default"

  static func reference() throws -> ModelReference {
    guard let folder = DefaultModels.folder("flux") else {
      throw CommandFailure(
        .input,
        "The model that comes with clusca was not found beside the program or in ../share/clusca; give another with "
          + "--model.")
    }
    return .folder(folder)
  }
}
