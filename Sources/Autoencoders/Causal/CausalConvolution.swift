import Tensors

/// A convolution over frames, rows and columns that sees no later frame: the border repeats the outermost pixels, and in
/// time only the first frame, so that a video's first frame is treated like a picture
/// (diffusers: `HunyuanVideoCausalConv3d`).
package struct CausalConvolution: Sendable {
  private let weight: Linear
  private let size: Int
  private let inputs: Int

  package var outputs: Int { weight.outputs }
  package var weightBytes: Int { weight.weightBytes }

  /// Reads `weight` `[outputs, inputs, size, size, size]` and `bias` `[outputs]`.
  package init(_ parameters: Parameters, inputs: Int, outputs: Int, size: Int = 3) throws {
    let window = size * size * size
    let weight = try parameters.tensor("weight", shape: [outputs, inputs, size, size, size])
    // The windows are gathered with the channels last, so the weights of each output are turned round.
    let matrices = weight.reshaped([outputs, inputs * window])
    let turned = (0..<outputs).flatMap { output in
      matrices.rows(output..<output + 1).reshaped([inputs, window]).transposed().elements
    }
    let stored = try StoredTensor(name: "weight", shape: [outputs, window * inputs], values: turned)
    self.weight = Linear(
      weight: try WeightMatrix(joining: [stored], precision: parameters.precision),
      bias: try parameters.tensor("bias", shape: [outputs]))
    self.size = size
    self.inputs = inputs
  }

  /// How many pixels' windows of so many elements are gathered at once: 8 MB, which a large cache holds, but so many pixels
  /// that the weights are not read too often.
  private static func gatheredPixels(window: Int) -> Int { max(1024, (1 << 21) / max(1, window)) }

  /// The most bytes that are gathered at once, for a size of 3 × 3 × 3 and lines of that width.
  static func gatheredBytes(inputs: Int, width: Int) -> Int {
    let pixels = gatheredPixels(window: 27 * inputs)
    return (pixels + width) * 27 * inputs * MemoryLayout<Float>.stride
  }

  /// `[frames, height, width, inputs]` → `[frames, height, width, outputs]`
  package func callAsFunction(_ x: Tensor) -> Tensor {
    precondition(x.shape.count == 4 && x.columns == inputs, "\(x.shape) has not \(inputs) channels")
    let (frames, height, width) = (x.shape[0], x.shape[1], x.shape[2])
    var y = Tensor(uninitialized: [frames, height, width, outputs])
    let linesPerPiece = min(frames * height, max(1, Self.gatheredPixels(window: weight.inputs) / max(1, width)))
    // One for all pieces: fresh memory costs as much as filling it.
    var windows = Tensor(uninitialized: [linesPerPiece * width, weight.inputs])
    for first in stride(from: 0, to: frames * height, by: linesPerPiece) {
      let lines = first..<min(frames * height, first + linesPerPiece)
      gather(x, lines: lines, into: &windows)
      weight.apply(windows, rows: 0..<lines.count * width, to: &y, firstRow: lines.lowerBound * width)
    }
    return y
  }

  /// Gathers what the outputs of some lines see, `[lines · width, size³ · inputs]`. Lines are rows of pixels, counted over
  /// all frames.
  private func gather(_ x: Tensor, lines: Range<Int>, into windows: inout Tensor) {
    let (height, width) = (x.shape[1], x.shape[2])
    let (size, inputs, half) = (size, inputs, size / 2)
    let rowElements = weight.inputs * width
    x.withUnsafeElements { source in
      windows.withUnsafeMutableElements { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        Tensor.forEachRowRange(rows: lines.count, columns: rowElements) { range in
          for index in range {
            var next = target + index * rowElements
            let (frame, row) = ((lines.lowerBound + index) / height, (lines.lowerBound + index) % height)
            for column in 0..<width {
              for time in 0..<size {
                let seenFrame = max(0, frame + time - (size - 1))
                for down in 0..<size {
                  let seenRow = min(max(0, row + down - half), height - 1)
                  for across in 0..<size {
                    let seenColumn = min(max(0, column + across - half), width - 1)
                    next.update(
                      from: source + ((seenFrame * height + seenRow) * width + seenColumn) * inputs, count: inputs)
                    next += inputs
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}
