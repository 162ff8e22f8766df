/// Arithmetic on shapes from outside, checked for overflow.
enum TensorShape {
  /// More dimensions than this are refused.
  static let maximumRank = 8

  /// The number of elements, or nil if a dimension is negative or a product is too large to be an `Int`. A shape with a
  /// zero has no elements, but its other dimensions must keep the bounds too, since strides are made of them.
  static func elementCount(_ shape: [Int]) -> Int? {
    guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
    var product = 1
    for dimension in shape where dimension > 0 {
      let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
      guard !overflow else { return nil }
      product = next
    }
    return shape.contains(0) ? 0 : product
  }

  /// The number of bytes of a tensor, or nil if that is too large to be an `Int`.
  static func byteCount(_ shape: [Int], _ dtype: DType) -> Int? {
    // The width is an innermost dimension of bytes.
    elementCount(shape + [dtype.byteCount])
  }
}
