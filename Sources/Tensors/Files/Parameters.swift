/// Where a model's parameters come from: a part of a checkpoint, possibly behind a change of names.
public protocol ParameterSource: Sendable {
  /// The file or folder, for messages.
  var path: String { get }
  /// The parameter of that full name, or nil.
  func parameter(_ name: String) throws -> StoredTensor?
}

extension TensorStore: ParameterSource {
  public func parameter(_ name: String) throws -> StoredTensor? { self[name] }
}

/// A parameter that a checkpoint lacks or holds in another shape.
public struct ParameterError: Error, Sendable, CustomStringConvertible {
  public let path: String
  public let name: String
  public let reason: String

  public var description: String { "\(path): the tensor \"\(name)\" \(reason)" }
}

/// The parameters of one module: a source, the module's name, and the precision to hold the matrices in.
public struct Parameters: Sendable {
  public let source: any ParameterSource
  /// The names of the modules above, with a dot behind each.
  public let prefix: String
  public let precision: Precision
  /// Where matrices are that were packed before.
  public let packed: (any PackedMatrices)?

  public init(
    _ source: any ParameterSource, prefix: String = "", precision: Precision, packed: (any PackedMatrices)? = nil
  ) {
    self.source = source
    self.prefix = prefix
    self.precision = precision
    self.packed = packed
  }

  /// The parameters of a submodule, such as `ff.net.0.proj`.
  public func module(_ name: String) -> Parameters {
    Parameters(source, prefix: prefix + name + ".", precision: precision, packed: packed)
  }

  /// The same parameters for maps that are few, and whose errors all others would inherit.
  public var sensitive: Parameters {
    Parameters(source, prefix: prefix, precision: precision.ofSensitiveMaps, packed: packed)
  }

  public func contains(_ name: String) -> Bool {
    ((try? source.parameter(prefix + name)) ?? nil) != nil
  }

  /// The stored tensor, which must have this shape.
  public func stored(_ name: String, shape: [Int]) throws -> StoredTensor {
    let stored = try stored(name)
    guard stored.shape == shape else {
      throw error(name, "has the shape \(stored.shape), but the configuration asks for \(shape)")
    }
    return stored
  }

  /// The stored tensor of any shape, which must hold floating-point numbers.
  public func stored(_ name: String) throws -> StoredTensor {
    guard let stored = try source.parameter(prefix + name) else { throw error(name, "is missing") }
    guard stored.dtype.isFloatingPoint else {
      throw error(name, "holds \(stored.dtype.rawValue), which is no floating-point type")
    }
    return stored
  }

  /// A matrix; a 1×1 convolution counts as one.
  public func matrix(_ name: String, rows: Int, columns: Int) throws -> StoredTensor {
    let stored = try stored(name)
    guard stored.shape == [rows, columns] || stored.shape == [rows, columns, 1, 1] else {
      throw error(name, "has the shape \(stored.shape), but the configuration asks for [\(rows), \(columns)]")
    }
    return try stored.reshaped([rows, columns])
  }

  /// Matrices joined below one another, packed before if they were, else now.
  ///
  /// - Parameter names: their full names, under which a file of packed matrices has them.
  public func weightMatrix(joining parts: [StoredTensor], named names: [String]) throws -> WeightMatrix {
    if let packed, precision != .float32,
      let matrix = try packed.matrix(MatrixRequest(names: names, parts: parts, precision: precision))
    {
      return matrix
    }
    return try WeightMatrix(joining: parts, precision: precision)
  }

  /// The tensor in float32.
  public func tensor(_ name: String, shape: [Int]) throws -> Tensor { try Tensor(stored(name, shape: shape)) }

  private func error(_ name: String, _ reason: String) -> ParameterError {
    ParameterError(path: source.path, name: prefix + name, reason: reason)
  }
}
