import CKernels
import Tensors

/// Numbers that a cache keeps, such as a branch's output, `[tokens, width]`, in the precision that it keeps them in; with value
/// semantics.
public struct FeatureTensor: Sendable, Equatable {
  /// One of the two is there.
  private(set) var wide: Tensor?
  private(set) var narrow: BFloat16Tensor?

  /// The numbers as they are, in float32.
  public init(_ tensor: Tensor) { wide = tensor }

  /// The numbers, or those nearest to them.
  public init(_ tensor: Tensor, in precision: FeaturePrecision) {
    switch precision {
    case .float32: wide = tensor
    case .bfloat16: narrow = BFloat16Tensor(rounding: tensor)
    }
  }

  /// Room for numbers; whoever makes it writes every one of them.
  init(uninitialized shape: [Int], in precision: FeaturePrecision) {
    switch precision {
    case .float32: wide = Tensor(uninitialized: shape)
    case .bfloat16: narrow = BFloat16Tensor(uninitialized: shape)
    }
  }

  /// Numbers from their bytes, as ``withUnsafeBytes(_:)`` shows them: as many as the shape has.
  public init(bytes: UnsafeRawBufferPointer, shape: [Int], in precision: FeaturePrecision) {
    self.init(uninitialized: shape, in: precision)
    precondition(bytes.count == byteCount, "\(bytes.count) bytes do not fill the shape \(shape)")
    let order = uniqueOrder()
    if let target = UnsafeMutableRawPointer(order.wide) ?? UnsafeMutableRawPointer(order.narrow),
      let source = bytes.baseAddress
    {
      target.copyMemory(from: source, byteCount: bytes.count)
    }
  }

  public var precision: FeaturePrecision { wide == nil ? .bfloat16 : .float32 }
  public var shape: [Int] { wide?.shape ?? narrow?.shape ?? [] }
  public var count: Int { wide?.count ?? narrow?.count ?? 0 }
  public var byteCount: Int { wide?.byteCount ?? narrow?.byteCount ?? 0 }

  /// The same numbers in float32.
  public var widened: Tensor {
    guard let wide = wide ?? narrow?.widened else { preconditionFailure("a feature has numbers") }
    return wide
  }

  /// The same numbers in another precision, or those nearest to them.
  func converted(to precision: FeaturePrecision) -> FeatureTensor {
    precision == self.precision ? self : FeatureTensor(widened, in: precision)
  }

  /// Calls `body` with the numbers as they are kept; the buffer is good only during the call.
  public func withUnsafeBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
    let start = UnsafeRawPointer(wide?.start) ?? UnsafeRawPointer(narrow?.start)
    body(UnsafeRawBufferPointer(start: start, count: byteCount))
    withExtendedLifetime(self) {}
  }

  /// The numbers as kernels read them, good as long as this lives and is not changed.
  var term: clusca_term { clusca_term(wide: wide?.start, narrow: narrow?.start) }

  /// The numbers as kernels change them: nobody else's, good as long as this lives and is not copied.
  mutating func uniqueOrder() -> clusca_order {
    clusca_order(wide: wide?.uniqueStart(), narrow: narrow?.uniqueStart())
  }
}

extension clusca_term {
  /// Asks memory for a row, which is needed soon.
  func fetch(row: Int, width: Int) {
    if let wide {
      clusca_fetch(wide + row * width, width * MemoryLayout<Float>.stride)
    } else if let narrow {
      clusca_fetch(narrow + row * width, width * MemoryLayout<UInt16>.stride)
    }
  }

  /// Adds factor · a row to as many numbers.
  func add(row: Int, width: Int, times factor: Float, to target: UnsafeMutablePointer<Float>) {
    [self].add(to: target, rows: row..<row + 1, width: width, coefficients: [factor], gate: nil)
  }
}
