import CKernels

/// Rows of a float32 weight matrix, multiplied where they stand.
struct Float32Rows: Sendable {
  let count: Int
  private let values: Values

  private enum Values: Sendable {
    case mapped(StoredTensor)
    case owned(Tensor)
  }

  init(_ stored: StoredTensor) throws {
    count = stored.shape[0]
    values = stored.isAlignedFloat32 ? .mapped(stored) : .owned(try Tensor(stored))
  }

  /// What of it lies in a file.
  var mapped: StoredTensor? {
    if case .mapped(let stored) = values, stored.file != nil { stored } else { nil }
  }

  private func withRows(_ body: (UnsafePointer<Float>) -> Void) {
    switch values {
    case .owned(let tensor): tensor.withUnsafeElements { body($0.baseAddress!) }
    case .mapped(let stored):
      stored.withBytes { bytes in
        bytes.withMemoryRebound(to: Float.self) { body($0.baseAddress!) }
      }
    }
  }

  /// Up to so many rows a kernel multiplies weights where they stand; with more it is faster to copy them on the way.
  static let fewRows = 64

  /// - Parameter epilogue: takes columns as soon as they are there; few rows leave it to others.
  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, inputs: Int, bias: UnsafePointer<Float>?, activation: Activation,
    into c: UnsafeMutablePointer<Float>, stride: Int, epilogue: (any ProductEpilogue)?
  ) {
    guard count > 0 else { return }
    withRows { w in
      guard rows <= Self.fewRows else {
        return Float32Product.multiply(
          rows: rows, columns: count, depth: inputs, x, aStride: inputs, w, bias: bias, activation: activation, into: c,
          cStride: stride, epilogue: epilogue)
      }
      let pieces = PanelPieces(rows: rows, outputs: count, mostRows: rows)
      pieces.multiply(into: c, stride: stride, panelsAtOnce: nil, epilogue: nil) { _, panels, next, _ in
        let (columns, next) = (pieces.columns(panels), pieces.firstColumn(next))
        kernels.product_few_rows(
          x, inputs, rows, inputs, w + columns.lowerBound * inputs, columns.count, c + columns.lowerBound, stride,
          next < count ? w + next * inputs : nil)
        guard bias != nil || activation != .identity else { return }
        kernels.add_bias(
          c + columns.lowerBound, rows, columns.count, stride, bias.map { $0 + columns.lowerBound }, activation.code)
      }
    }
  }
}
