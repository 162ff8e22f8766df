import Tensors

extension Parameters {
  /// Parameters with zeros for their numbers: a model that is loaded from these costs next to nothing and fails where one
  /// with the true numbers would for want of a tensor, or for one of another type or shape.
  ///
  /// - Parameter isKept: says of a name whether its tensor keeps its numbers, because what is loaded depends on them.
  init(
    shapesOf source: any ParameterSource, precision: Precision = .float32,
    keeping isKept: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    self.init(ParameterShapes(source: source, isKept: isKept), precision: precision)
  }
}

private struct ParameterShapes: ParameterSource {
  let source: any ParameterSource
  let isKept: @Sendable (String) -> Bool

  var path: String { source.path }

  func parameter(_ name: String) throws -> StoredTensor? {
    guard let stored = try source.parameter(name) else { return nil }
    return stored.dtype.isFloatingPoint && !isKept(name)
      ? try StoredTensor(name: stored.name, zerosOfShape: stored.shape) : stored
  }
}
