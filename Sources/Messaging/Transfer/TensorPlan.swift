import Tensors

/// The element types of tensors on the wire, under their numbers.
enum WireElement: UInt32, CaseIterable {
  case float32 = 1
  case bfloat16 = 2
  case float16 = 3
  case int32 = 4
  case uint8 = 5

  var dtype: DType {
    switch self {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .float16: .float16
    case .int32: .int32
    case .uint8: .uint8
    }
  }
}

/// What a tensor is, known to both ends before its first byte travels.
public struct TensorPlan: Sendable, Hashable {
  public static let maximumRank = 8
  public static let maximumDimension = 1 << 24

  public let stream: WireStream
  let element: WireElement
  /// Row-major; 1 to 8 dimensions of 1...2^24 each.
  public let shape: [Int]
  public let byteCount: Int

  public var dtype: DType { element.dtype }

  /// Nil for a shape out of bounds, for a size that overflows, and for a type that does not travel (those that do: F32,
  /// BF16, F16, I32, U8).
  public init?(_ stream: WireStream, _ dtype: DType, shape: [Int]) {
    guard let element = WireElement.allCases.first(where: { $0.dtype == dtype }) else { return nil }
    guard (1...Self.maximumRank).contains(shape.count) else { return nil }
    var count = dtype.byteCount
    for dimension in shape {
      guard (1...Self.maximumDimension).contains(dimension) else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard !overflow else { return nil }
      count = product
    }
    self.stream = stream
    self.element = element
    self.shape = shape
    byteCount = count
  }
}
