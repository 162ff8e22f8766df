import Tensors

extension Tensor {
  /// Each element of a row twice: a b → a a b b.
  func eachTwice() -> Tensor {
    Tensor(elements.flatMap { [$0, $0] }, shape: shape.dropLast() + [2 * columns])
  }
}
