import Tensors
import Transformers

/// Classifier-free guidance: a second sample, which the picture is led away from.
public struct Guidance: Sendable {
  /// The sample of the negative prompt, or of no class.
  public var inputs: SampleInputs
  public var scale: Float
  /// So many columns of the output are guided, the others are those of the picture's own sample; all if nil.
  public var columns: Int?

  public init(inputs: SampleInputs, scale: Float, columns: Int? = nil) {
    self.inputs = inputs
    self.scale = scale
    self.columns = columns
  }

  /// negative + scale · (positive − negative), `[image tokens, channels]`
  func guide(_ positive: Tensor, awayFrom negative: Tensor) -> Tensor {
    var difference = positive
    difference.scale(by: 1, adding: negative, times: -1)
    var guided = negative
    guided.scale(by: 1, adding: difference, times: scale)
    guard let columns, columns < guided.columns else { return guided }
    let all = guided.columns
    guided.withUnsafeMutableElements { target in
      positive.withUnsafeElements { source in
        for index in target.indices where index % all >= columns { target[index] = source[index] }
      }
    }
    return guided
  }
}
