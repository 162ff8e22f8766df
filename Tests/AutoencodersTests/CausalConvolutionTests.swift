import Tensors
import Testing

@testable import Autoencoders

@Suite struct CausalConvolutionTests {
  /// More than one tile each way, odd numbers of rows and columns, outputs that fill no register.
  private static let (frames, height, width, inputs) = (4, 13, 17, 5)

  @Test(arguments: [(CausalConvolution.Kind.pointwise, 9), (.cubic, 9), (.cubic, 3), (.cubic, 33)])
  func itIsTheSumOverTheWindow(_ kind: CausalConvolution.Kind, _ outputs: Int) throws {
    let (size, window) = (kind.size, kind.size * kind.size * kind.size)
    var generator = TorchGenerator(seed: 3)
    let weight = generator.randn(outputs * Self.inputs * window)
    let bias = generator.randn(outputs)
    let shape = [Self.frames, Self.height, Self.width, Self.inputs]
    let x = Tensor(generator.randn(shape.reduce(1, *)), shape: shape)
    var source = ParametersInMemory()
    source.tensors["weight"] = try StoredTensor(
      name: "weight", shape: [outputs, Self.inputs, size, size, size], values: weight)
    source.tensors["bias"] = try StoredTensor(name: "bias", shape: [outputs], values: bias)
    let convolution = try CausalConvolution(
      Parameters(source, precision: .float32), inputs: Self.inputs, outputs: outputs, kind)

    let y = convolution(x)
    #expect(y.shape == [Self.frames, Self.height, Self.width, outputs])
    func pixel(_ frame: Int, _ row: Int, _ column: Int, _ channel: Int) -> Double {
      let (row, column) = (min(max(0, row), Self.height - 1), min(max(0, column), Self.width - 1))
      return Double(x[((max(0, frame) * Self.height + row) * Self.width + column) * Self.inputs + channel])
    }
    var worst = 0.0
    for index in 0..<y.count {
      let (place, output) = (index / outputs, index % outputs)
      let (frame, row, column) = (
        place / (Self.height * Self.width), place / Self.width % Self.height, place % Self.width
      )
      var sum = Double(bias[output])
      for input in 0..<Self.inputs {
        for tap in 0..<window {
          let (time, down, across) = (tap / (size * size), tap / size % size, tap % size)
          sum +=
            Double(weight[(output * Self.inputs + input) * window + tap])
            * pixel(frame + time - (size - 1), row + down - size / 2, column + across - size / 2, input)
        }
      }
      worst = max(worst, abs(sum - Double(y[index])))
    }
    #expect(worst < 2e-5)
  }
}
