extension StoredTensor {
  /// All elements as float32, in storage order. Float64 values are rounded to the nearest; whole numbers are refused,
  /// since quantised weights without their scales would look like weights.
  public func float32Values() throws -> [Float] {
    try checkConvertible(to: "floating-point numbers", dtype.isFloatingPoint)
    try checkFile()
    return try [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
      try convertToFloat32(elements: 0..<elementCount, into: buffer)
      count = elementCount
    }
  }

  /// Converts a range of elements, counted in storage order, to float32 into the beginning of `buffer`.
  public func convertToFloat32(elements range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    try checkConvertible(to: "floating-point numbers", dtype.isFloatingPoint)
    try checkFile()
    guard range.lowerBound >= 0, range.upperBound <= elementCount, range.count <= buffer.count else {
      throw TensorError(
        tensor: name,
        reason: "elements \(range) of \(elementCount) do not fit a buffer of \(buffer.count)")
    }
    guard let target = buffer.baseAddress, !range.isEmpty else { return }
    withBytes(ofElements: range) { source in
      guard let source = source.baseAddress else { return }
      let count = range.count
      switch dtype {
      case .float32:
        UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count * 4)
      case .float64:
        Self.convert(source, count, target) { (value: UInt64) in Float(Double(bitPattern: value)) }
      case .float16:
        Self.convert(source, count, target) { (value: UInt16) in Float(float16Bits: value) }
      case .bfloat16:
        Self.convert(source, count, target) { (value: UInt16) in Float(bfloat16Bits: value) }
      case .float8E4M3:
        Self.convert(source, count, target) { (value: UInt8) in Float(float8E4M3Bits: value) }
      case .float8E5M2:
        Self.convert(source, count, target) { (value: UInt8) in Float(float8E5M2Bits: value) }
      case .int64, .int32, .int16, .int8, .uint64, .uint32, .uint16, .uint8, .bool:
        break
      }
    }
  }

  /// All elements of a tensor of whole numbers, in storage order; a `bool` is 0 or 1. A `uint64` beyond `Int64` throws.
  public func int64Values() throws -> [Int64] {
    try checkConvertible(to: "whole numbers", !dtype.isFloatingPoint)
    try checkFile()
    let values: [Int64] = withBytes { source in
      switch dtype {
      case .int64: Self.integers(source, Int64.self)
      case .int32: Self.integers(source, Int32.self)
      case .int16: Self.integers(source, Int16.self)
      case .int8: Self.integers(source, Int8.self)
      case .uint64: Self.integers(source, UInt64.self)
      case .uint32: Self.integers(source, UInt32.self)
      case .uint16: Self.integers(source, UInt16.self)
      case .uint8: Self.integers(source, UInt8.self)
      case .bool: source.map { $0 == 0 ? 0 : 1 }
      case .float64, .float32, .float16, .bfloat16, .float8E4M3, .float8E5M2: []
      }
    }
    if dtype == .uint64, values.contains(where: { $0 < 0 }) {
      throw TensorError(tensor: name, reason: "holds a number that is larger than \(Int64.max)")
    }
    return values
  }

  private func checkConvertible(to kind: String, _ isConvertible: Bool) throws(TensorError) {
    guard isConvertible else {
      throw TensorError(tensor: name, reason: "holds \(dtype.rawValue), but \(kind) were asked for")
    }
  }

  /// One loop a format: small enough that the compiler makes vector instructions of it.
  @inline(__always)
  private static func convert<Bits: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutablePointer<Float>, _ value: (Bits) -> Float
  ) {
    for index in 0..<count {
      let bits = source.loadUnaligned(fromByteOffset: index &* MemoryLayout<Bits>.size, as: Bits.self)
      target[index] = value(Bits(littleEndian: bits))
    }
  }

  private static func integers<Integer: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafeRawBufferPointer, _ type: Integer.Type
  ) -> [Int64] {
    let width = MemoryLayout<Integer>.size
    return (0..<source.count / width).map { index in
      Int64(truncatingIfNeeded: Integer(littleEndian: source.loadUnaligned(fromByteOffset: index * width, as: type)))
    }
  }
}
