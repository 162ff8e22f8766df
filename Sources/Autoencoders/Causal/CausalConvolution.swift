import Tensors

/// A convolution over frames, rows and columns that sees no later frame: the border repeats the outermost pixels, and in
/// time only the first frame, so that a video's first frame is treated like a picture
/// (diffusers: `HunyuanVideoCausalConv3d`).
///
/// Windows of 3×3×3 go by Winograd's algorithm in rows and columns: 48 multiplications for four pixels instead of 108.
package struct CausalConvolution: Sendable {
  private enum Weights: Sendable {
    case pointwise(Linear)
    case cubic(ConvolutionWeights, bias: Tensor)
  }

  private let weights: Weights
  private let inputs: Int
  package let outputs: Int

  package enum Kind: Sendable {
    case pointwise
    case cubic

    var size: Int { self == .cubic ? 3 : 1 }
  }

  /// Reads `weight` `[outputs, inputs, size, size, size]` and `bias` `[outputs]`.
  package init(_ parameters: Parameters, inputs: Int, outputs: Int, _ kind: Kind = .cubic) throws {
    let size = kind.size
    let stored = try parameters.stored("weight", shape: [outputs, inputs, size, size, size])
    let bias = try parameters.tensor("bias", shape: [outputs])
    switch kind {
    case .pointwise:
      let matrix = try StoredTensor(name: stored.name, shape: [outputs, inputs], values: Tensor(stored).elements)
      weights = .pointwise(
        Linear(weight: try WeightMatrix(joining: [matrix], precision: parameters.precision), bias: bias))
    case .cubic:
      weights = .cubic(
        ConvolutionWeights(winograd: try Tensor(stored).reshaped([outputs, inputs, size * size * size])), bias: bias)
    }
    self.inputs = inputs
    self.outputs = outputs
  }

  package var weightBytes: Int {
    switch weights {
    case .pointwise(let map): map.weightBytes
    case .cubic(let weights, let bias): weights.byteCount + bias.byteCount
    }
  }

  /// The most memory that a thread takes beside input and output.
  static func scratchBytes(inputs: Int) -> Int { ConvolutionTile.scratchBytes(inputs: inputs, frames: 3) }

  /// `[frames, height, width, inputs]` → `[frames, height, width, outputs]`
  package func callAsFunction(_ x: Tensor) -> Tensor {
    precondition(x.shape.count == 4 && x.columns == inputs, "\(x.shape) has not \(inputs) channels")
    switch weights {
    case .pointwise(let map): return map(x).reshaped(Array(x.shape.dropLast()) + [outputs])
    case .cubic(let weights, let bias): return convolve(x, weights, bias)
    }
  }

  private func convolve(_ x: Tensor, _ weights: ConvolutionWeights, _ bias: Tensor) -> Tensor {
    let (frames, height, width) = (x.shape[0], x.shape[1], x.shape[2])
    var y = Tensor(uninitialized: [frames, height, width, outputs])
    let tiles = ConvolutionTile.all(height: height, width: width, border: 1, channels: inputs)
    Tensor.withElements(of: [x, bias]) { elements in
      y.withUnsafeMutableElements { y in
        guard let y = y.baseAddress else { return }
        ThreadPool.shared.forEach(frames * tiles.count) { index in
          let (frame, tile) = (index / tiles.count, tiles[index % tiles.count])
          let seen = (frame - 2...frame).map { elements[0] + max(0, $0) * height * width * inputs }
          let first = (frame * height + tile.top) * width + tile.left
          tile.withRepeatedBorders(of: seen, height: height, width: width) { rectangles in
            tile.convolveByWinograd(
              rectangles, weights,
              ConvolutionTarget(
                y: y + first * outputs, rowStride: width * outputs, pixelStride: outputs, channels: outputs,
                bias: elements[1], adding: false))
          }
        }
      }
    }
    return y
  }
}

extension ConvolutionTile {
  /// Gathers the rectangle of some frames, with a border that repeats the outermost pixels.
  ///
  /// - Parameter body: gets the first channel of each padded rectangle's first pixel.
  fileprivate func withRepeatedBorders(
    of frames: [UnsafePointer<Float>], height: Int, width: Int, _ body: ([UnsafePointer<Float>]) -> Void
  ) {
    let paddedHeight = evenHeight + 2 * border
    let rectangle = paddedHeight * paddedWidth * channels
    withUnsafeTemporaryAllocation(of: Float.self, capacity: frames.count * rectangle) { padded in
      var target = padded.baseAddress!
      for frame in frames {
        for row in 0..<paddedHeight {
          let line = frame + min(max(0, top + row - border), height - 1) * width * channels
          for column in 0..<paddedWidth {
            target.update(from: line + min(max(0, left + column - border), width - 1) * channels, count: channels)
            target += channels
          }
        }
      }
      body(frames.indices.map { UnsafePointer(padded.baseAddress! + $0 * rectangle) })
    }
  }
}
