import Tensors

/// The parameters of another source with zeros for their numbers: a model that is loaded from these costs next to nothing
/// and fails where one with the true numbers would for want of a tensor, or for one of another type or shape.
struct ParameterShapes: ParameterSource {
  private let source: any ParameterSource

  init(of source: any ParameterSource) { self.source = source }

  var path: String { source.path }

  func parameter(_ name: String) throws -> StoredTensor? {
    guard let stored = try source.parameter(name), stored.dtype.isFloatingPoint else {
      return try source.parameter(name)
    }
    return try StoredTensor(name: stored.name, zerosOfShape: stored.shape)
  }
}
