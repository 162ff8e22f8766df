/// Ways to the elements of several tensors at once, for kernels. The pointers are good only during the call.
extension Tensor {
  package static func withElements(
    _ first: Tensor?, _ second: Tensor?, _ body: (UnsafePointer<Float>?, UnsafePointer<Float>?) -> Void
  ) {
    func with(_ tensor: Tensor?, _ body: (UnsafePointer<Float>?) -> Void) {
      guard let tensor else { return body(nil) }
      tensor.withUnsafeElements { body($0.baseAddress) }
    }
    with(first) { first in with(second) { second in body(first, second) } }
  }

  /// The elements of tensors that are not empty.
  package static func withElements(of tensors: [Tensor], _ body: ([UnsafePointer<Float>]) -> Void) {
    func open(_ index: Int, _ pointers: [UnsafePointer<Float>]) {
      guard index < tensors.count else { return body(pointers) }
      tensors[index].withUnsafeElements { elements in
        guard let start = elements.baseAddress else { return }
        open(index + 1, pointers + [start])
      }
    }
    open(0, [])
  }

  /// The elements of tensors that are not empty, to be changed.
  package static func withMutableElements(
    of tensors: inout [Tensor], _ body: ([UnsafeMutablePointer<Float>]) -> Void
  ) {
    // Each tensor leaves the array while it is open: two of an array cannot be open at once, and one that the array still
    // held would be copied.
    let placeholder = Tensor(uninitialized: [0])
    func open(_ index: Int, _ pointers: [UnsafeMutablePointer<Float>]) {
      guard index < tensors.count else { return body(pointers) }
      var tensor = placeholder
      swap(&tensor, &tensors[index])
      tensor.withUnsafeMutableElements { elements in
        guard let start = elements.baseAddress else { return }
        open(index + 1, pointers + [start])
      }
      swap(&tensor, &tensors[index])
    }
    open(0, [])
  }
}
