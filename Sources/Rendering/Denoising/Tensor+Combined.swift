import Tensors

extension Tensor {
  /// Each element made of one of self and one of another tensor of the same shape, for the few numbers of a scheduler.
  func combined(_ other: Tensor, _ body: (Float, Float) -> Float) -> Tensor {
    precondition(shape == other.shape, "\(shape) and \(other.shape) cannot be combined element by element")
    var result = Tensor(uninitialized: shape)
    withUnsafeElements { left in
      other.withUnsafeElements { right in
        result.withUnsafeMutableElements { target in
          for index in target.indices { target[index] = body(left[index], right[index]) }
        }
      }
    }
    return result
  }
}
