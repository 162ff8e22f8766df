import Tensors

extension Parameters {
  /// Parameters with zeros for their numbers: a model that is loaded from these costs next to nothing and fails where one
  /// with the true numbers would for want of a tensor, or for one of another type or shape.
  init(shapesOf source: any ParameterSource) {
    self.init(ParameterShapes(source: source), precision: .float32)
  }
}

private struct ParameterShapes: ParameterSource {
  let source: any ParameterSource

  var path: String { source.path }

  func parameter(_ name: String) throws -> StoredTensor? {
    guard let stored = try source.parameter(name) else { return nil }
    return stored.dtype.isFloatingPoint
      ? try StoredTensor(name: stored.name, zerosOfShape: stored.shape) : stored
  }
}
