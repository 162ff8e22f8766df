import CKernels
import Tensors

/// A convolution of a picture in channels-last layout: 1×1, 3×3 with a border of zeros, or 3×3 behind a doubling of the
/// picture's size.
///
/// The doubled picture is never made. Each of its pixels repeats a pixel of the original, so a window of 3×3 in it covers
/// 2×2 of the original, and which weights meet there depends only on whether row and column are even: four small
/// convolutions, each giving a quarter of the pixels, with 16 multiplications instead of 36. The other convolutions of
/// 3×3 go by Winograd's algorithm, which takes 16 for four pixels, too.
package struct Convolution: Sendable {
  package enum Kind: Sendable {
    case pointwise
    case square
    case doubling
  }

  let inputs: Int
  let outputs: Int
  private let kind: Kind
  private let isWinograd: Bool
  private let phases: [ConvolutionWeights]
  private let bias: Tensor

  /// Transforms of the input pay only for themselves where there are outputs enough to share them.
  static let fewestWinogradOutputs = 8

  /// Reads `weight` `[outputs, inputs, side, side]` and `bias` `[outputs]`.
  package init(_ parameters: Parameters, _ kind: Kind, inputs: Int, outputs: Int) throws {
    let side = kind == .pointwise ? 1 : 3
    let stored =
      kind == .pointwise
      ? try parameters.matrix("weight", rows: outputs, columns: inputs)
      : try parameters.stored("weight", shape: [outputs, inputs, side, side])
    let weight = try Tensor(stored).reshaped([outputs, inputs, side * side])
    self.kind = kind
    isWinograd = kind == .square && outputs >= Self.fewestWinogradOutputs
    self.inputs = inputs
    self.outputs = outputs
    phases =
      switch kind {
      case .square where isWinograd: [ConvolutionWeights(winograd: weight)]
      case .pointwise, .square: [ConvolutionWeights(weight, side: side)]
      case .doubling: [(0, 0), (0, 1), (1, 0), (1, 1)].map { ConvolutionWeights(weight, doublingRow: $0, column: $1) }
      }
    bias = try parameters.tensor("bias", shape: [outputs])
  }

  var weightBytes: Int { phases.reduce(bias.byteCount) { $0 + $1.byteCount } }

  /// `[height, width, inputs]` → `[height, width, outputs]`, twice as high and wide if doubling.
  ///
  /// - Parameter norm: what happens to the input first, with SiLU behind it.
  package func callAsFunction(_ x: Tensor, after norm: GroupNorm.Coefficients? = nil) -> Tensor {
    let factor = kind == .doubling ? 2 : 1
    var y = Tensor(uninitialized: [x.shape[0] * factor, x.shape[1] * factor, outputs])
    apply(x, after: norm, to: &y, adding: false)
    return y
  }

  /// Adds the result to a picture.
  func add(_ x: Tensor, after norm: GroupNorm.Coefficients? = nil, to y: inout Tensor) {
    apply(x, after: norm, to: &y, adding: true)
  }

  private func apply(_ x: Tensor, after norm: GroupNorm.Coefficients?, to y: inout Tensor, adding: Bool) {
    let (height, width) = (x.shape[0], x.shape[1])
    let factor = kind == .doubling ? 2 : 1
    precondition(x.columns == inputs, "\(x.shape) has not \(inputs) channels")
    precondition(y.shape == [height * factor, width * factor, outputs], "no room in \(y.shape)")
    let border = kind == .pointwise ? 0 : 1
    let tiles = ConvolutionTile.all(height: height, width: width, border: border, channels: inputs)
    Tensor.withElements(norm?.scale, norm?.shift) { scale, shift in
      Tensor.withElements(of: [x, bias]) { elements in
        y.withUnsafeMutableElements { y in
          guard let y = y.baseAddress else { return }
          ThreadPool.shared.forEach(tiles.count) { index in
            let tile = tiles[index]
            tile.withPixels(of: elements[0], height: height, width: width, scale: scale, shift: shift) { pixels in
              for (phase, weights) in phases.enumerated() {
                let (row, column) = (factor * tile.top + phase / 2, factor * tile.left + phase % 2)
                let target = ConvolutionTarget(
                  y: y + (row * width * factor + column) * outputs, rowStride: factor * factor * width * outputs,
                  pixelStride: factor * outputs, channels: outputs, bias: elements[1], adding: adding)
                if isWinograd {
                  tile.convolveByWinograd([pixels[0]! - (tile.paddedWidth + 1) * inputs], weights, target)
                } else {
                  tile.convolve(pixels, weights, target)
                }
              }
            }
          }
        }
      }
    }
  }
}
