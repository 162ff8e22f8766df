import CKernels

/// The activation functions of the models, by their usual names.
public enum Activation: Sendable {
  case identity
  /// x · σ(x), also called swish.
  case silu
  /// GELU by its tanh approximation: "gelu-approximate" of diffusers, "gelu_new" of transformers.
  case geluTanh
  /// GELU by the error function.
  case geluErf
  /// x · σ(1.702 x), CLIP's.
  case quickGELU
  /// max(x, 0), of the first T5.
  case relu

  var code: clusca_activation {
    switch self {
    case .identity: CLUSCA_IDENTITY
    case .silu: CLUSCA_SILU
    case .geluTanh: CLUSCA_GELU_TANH
    case .geluErf: CLUSCA_GELU_ERF
    case .quickGELU: CLUSCA_QUICK_GELU
    case .relu: CLUSCA_RELU
    }
  }
}

extension Tensor {
  /// Rows or elements that one piece of elementwise work covers: enough to outweigh the hand-over to a thread.
  package static let pieceElements = 1 << 15

  /// Runs `body` on ranges of rows of about `pieceElements` elements each.
  package static func forEachRowRange(rows: Int, columns: Int, _ body: (Range<Int>) -> Void) {
    let rowsPerPiece = max(1, pieceElements / max(columns, 1))
    let pieces = (rows + rowsPerPiece - 1) / rowsPerPiece
    ThreadPool.shared.forEach(pieces) { piece in
      body(piece * rowsPerPiece..<min(rows, (piece + 1) * rowsPerPiece))
    }
  }

  /// Applies the function to every element.
  public mutating func apply(_ activation: Activation) {
    let (rows, columns) = (rows, columns)
    withUnsafeMutableElements { buffer in
      guard let x = buffer.baseAddress else { return }
      nonisolated(unsafe) let start = x
      Self.forEachRowRange(rows: rows, columns: columns) { range in
        kernels.activate(start + range.lowerBound * columns, range.count * columns, activation.code)
      }
    }
  }

  public func applying(_ activation: Activation) -> Tensor {
    var result = self
    result.apply(activation)
    return result
  }
}
