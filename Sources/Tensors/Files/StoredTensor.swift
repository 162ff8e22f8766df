import Files

/// A tensor as it stands in a file or in memory: row-major, little-endian, elements without gaps.
///
/// A value of this type is a name, a shape and a place; copies share the bytes. Nothing is read before it is asked for.
public struct StoredTensor: Sendable {
  public let name: String
  public let dtype: DType
  /// The dimensions, slowest first; empty for a scalar.
  public let shape: [Int]
  /// The number of elements: the product of `shape`.
  public let elementCount: Int
  private let storage: Storage
  /// Where the bytes begin in `storage`.
  private let offset: Int

  private enum Storage: Sendable {
    case mapped(MappedFile)
    case owned([UInt8])
    case zeros(ZeroPages)
  }

  private init(
    name: String, dtype: DType, shape: [Int], storage: Storage, offset: Int, available: Int
  ) throws(TensorError) {
    guard let elementCount = TensorShape.elementCount(shape), let byteCount = TensorShape.byteCount(shape, dtype) else {
      throw TensorError(tensor: name, reason: "no tensor can have the shape \(shape)")
    }
    guard offset >= 0, offset <= available, byteCount <= available - offset else {
      throw TensorError(
        tensor: name, reason: "\(dtype.rawValue) \(shape) takes \(byteCount) bytes, more than there are at \(offset)")
    }
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.elementCount = elementCount
    self.storage = storage
    self.offset = offset
  }

  /// A tensor whose bytes begin at `offset` of `file`.
  public init(name: String, dtype: DType, shape: [Int], file: MappedFile, offset: Int) throws(TensorError) {
    try self.init(
      name: name, dtype: dtype, shape: shape, storage: .mapped(file), offset: offset, available: file.byteCount)
  }

  /// A tensor in memory. `bytes` must be exactly as long as the shape and the type demand.
  public init(name: String, dtype: DType, shape: [Int], bytes: [UInt8]) throws(TensorError) {
    try self.init(
      name: name, dtype: dtype, shape: shape, storage: .owned(bytes), offset: 0, available: bytes.count)
    guard bytes.count == byteCount else {
      throw TensorError(
        tensor: name, reason: "\(dtype.rawValue) \(shape) takes \(byteCount) bytes, but \(bytes.count) were given")
    }
  }

  /// A float32 tensor in memory.
  public init(name: String, shape: [Int], values: [Float]) throws(TensorError) {
    try self.init(name: name, dtype: .float32, shape: shape, bytes: values.withUnsafeBytes { [UInt8]($0) })
  }

  /// A float32 tensor of zeros that takes address space but no memory.
  public init(name: String, zerosOfShape shape: [Int]) throws(TensorError) {
    let byteCount = TensorShape.byteCount(shape, .float32) ?? 0
    guard let pages = ZeroPages(byteCount: byteCount) else {
      throw TensorError(tensor: name, reason: "\(shape) takes \(byteCount) bytes, for which there are no addresses")
    }
    try self.init(
      name: name, dtype: .float32, shape: shape, storage: .zeros(pages), offset: 0, available: byteCount)
  }

  /// Whether it stands for a tensor of which only the shape counts.
  var isShapeOnly: Bool {
    if case .zeros = storage { true } else { false }
  }

  /// The file that it lies in; nil for a tensor in memory.
  var file: MappedFile? {
    if case .mapped(let file) = storage { file } else { nil }
  }

  /// Whether its numbers can be used where they stand, in a file, as float32.
  public var isMappedFloat32: Bool { file != nil && isAlignedFloat32 }

  var isAlignedFloat32: Bool {
    dtype == .float32 && withBytes { Int(bitPattern: $0.baseAddress) % MemoryLayout<Float>.alignment == 0 }
  }

  /// The number of bytes: elements times their width.
  public var byteCount: Int { elementCount * dtype.byteCount }

  /// Calls `body` with all bytes, in place. The pointer need not be aligned and is good only during the call.
  ///
  /// A file that has become shorter since it was opened is not noticed here; see ``MappedFile``.
  public func withBytes<Value, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    try withBytes(ofElements: 0..<elementCount, body)
  }

  /// Calls `body` with the bytes of a range of elements, which must lie within the tensor.
  func withBytes<Value, Failure: Error>(
    ofElements range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let width = dtype.byteCount
    let bytes = offset + range.lowerBound * width..<offset + range.upperBound * width
    switch storage {
    case .mapped(let file): return try file.withBytes(bytes, body)
    case .owned(let owned):
      let outcome = owned.withUnsafeBytes { all in
        Result { () throws(Failure) in try body(UnsafeRawBufferPointer(rebasing: all[bytes])) }
      }
      return try outcome.get()
    case .zeros(let pages): return try body(UnsafeRawBufferPointer(rebasing: pages.bytes[bytes]))
    }
  }

  /// Rows `range` of the first dimension, sharing the bytes: `[3·d, k]` holds q in rows `0..<d`, k and v behind it.
  public func rows(_ range: Range<Int>) throws(TensorError) -> StoredTensor {
    guard let first = shape.first else {
      throw TensorError(tensor: name, reason: "is a scalar, which has no rows \(range)")
    }
    guard range.lowerBound >= 0, range.upperBound <= first else {
      throw TensorError(tensor: name, reason: "has the shape \(shape), which has no rows \(range)")
    }
    let rowBytes = first == 0 ? 0 : byteCount / first
    return try StoredTensor(
      name: name, dtype: dtype, shape: [range.count] + shape.dropFirst(), storage: storage,
      offset: offset + range.lowerBound * rowBytes, available: offset + byteCount)
  }

  /// The same bytes with other dimensions of the same product, for example a 1×1 convolution as a matrix.
  public func reshaped(_ shape: [Int]) throws(TensorError) -> StoredTensor {
    guard TensorShape.elementCount(shape) == elementCount else {
      throw TensorError(tensor: name, reason: "has the shape \(self.shape), which cannot become \(shape)")
    }
    return try StoredTensor(
      name: name, dtype: dtype, shape: shape, storage: storage, offset: offset, available: offset + byteCount)
  }

  /// The same bytes under another name.
  public func renamed(_ name: String) throws(TensorError) -> StoredTensor {
    try StoredTensor(
      name: name, dtype: dtype, shape: shape, storage: storage, offset: offset, available: offset + byteCount)
  }

  /// Tells the kernel how the bytes will be used; see ``MappedFile/Advice``. Does nothing for a tensor in memory.
  public func advise(_ advice: MappedFile.Advice) {
    if case .mapped(let file) = storage { file.advise(advice, offset..<offset + byteCount) }
  }

  /// Throws if the file has become shorter since it was opened.
  func checkFile() throws(FileError) {
    if case .mapped(let file) = storage { try file.checkSize() }
  }
}
