import Tensors
import Testing

@testable import Autoencoders

@Suite struct ConvolutionTests {
  private static let (height, width, inputs) = (13, 17, 5)

  /// 9 outputs go by Winograd's algorithm, 3 by the plain sum.
  @Test(arguments: [(Convolution.Kind.pointwise, 9), (.square, 9), (.square, 3), (.doubling, 9)])
  func itIsTheSumOverTheWindow(_ kind: Convolution.Kind, _ outputs: Int) throws {
    let side = kind == .pointwise ? 1 : 3
    var generator = TorchGenerator(seed: 3)
    let weight = generator.randn(outputs * Self.inputs * side * side)
    let bias = generator.randn(outputs)
    let x = Tensor(
      generator.randn(Self.height * Self.width * Self.inputs), shape: [Self.height, Self.width, Self.inputs])
    var source = ParametersInMemory()
    source.tensors["weight"] = try StoredTensor(
      name: "weight", shape: [outputs, Self.inputs, side, side], values: weight)
    source.tensors["bias"] = try StoredTensor(name: "bias", shape: [outputs], values: bias)
    let convolution = try Convolution(
      Parameters(source, precision: .float32), kind, inputs: Self.inputs, outputs: outputs)

    let y = convolution(x)
    let factor = kind == .doubling ? 2 : 1
    #expect(y.shape == [factor * Self.height, factor * Self.width, outputs])
    func pixel(_ row: Int, _ column: Int, _ channel: Int) -> Double {
      guard row >= 0, row < factor * Self.height, column >= 0, column < factor * Self.width else { return 0 }
      return Double(x[(row / factor * Self.width + column / factor) * Self.inputs + channel])
    }
    var worst = 0.0
    for index in 0..<y.count {
      let (place, output) = (index / outputs, index % outputs)
      let (row, column) = (place / (factor * Self.width), place % (factor * Self.width))
      var sum = Double(bias[output])
      for input in 0..<Self.inputs {
        for tap in 0..<side * side {
          let factor = Double(weight[(output * Self.inputs + input) * side * side + tap])
          sum += factor * pixel(row + tap / side - side / 2, column + tap % side - side / 2, input)
        }
      }
      worst = max(worst, abs(sum - Double(y[index])))
    }
    #expect(worst < 1e-5)

    var doubled = y
    convolution.add(x, to: &doubled)
    #expect(doubled == y + y)
  }
}
