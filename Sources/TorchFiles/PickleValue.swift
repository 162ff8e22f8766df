import Tensors

/// What a pickle of tensors is made of. Containers are numbers of an arena, so that values own no others: however deep a
/// hostile file nests them, nothing recurses.
enum PickleValue: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case list(Int)
  case tuple(Int)
  case dictionary(Int)
  case global(PickleGlobal)
  case storage(TorchStorage)
  case tensor(TorchTensor)
}

/// The names that a pickle may refer to: all others would be code of somebody else.
enum PickleGlobal: Sendable, Equatable {
  case orderedDictionary
  case rebuildTensor
  case rebuildParameter
  case storageType(DType)

  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", _):
      guard let type = Self.storageTypes[name] else { return nil }
      self = .storageType(type)
    default: return nil
    }
  }

  private static let storageTypes: [String: DType] = [
    "DoubleStorage": .float64, "FloatStorage": .float32, "HalfStorage": .float16, "BFloat16Storage": .bfloat16,
    "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8,
    "BoolStorage": .bool,
  ]
}

/// Numbers of one type in an entry of the file of their own.
struct TorchStorage: Sendable, Equatable {
  let key: String
  let type: DType
  let count: Int
}

/// A view of a storage.
struct TorchTensor: Sendable, Equatable {
  let storage: TorchStorage
  /// The element at which it begins.
  let offset: Int
  let shape: [Int]
  /// The elements from one index of a dimension to the next.
  let strides: [Int]
  /// The product of the shape; not more than the storage has.
  let count: Int

  /// nil if it would reach outside of its storage, or repeat elements of it.
  init?(_ storage: TorchStorage, offset: Int, shape: [Int], strides: [Int]) {
    guard offset >= 0, shape.count == strides.count, shape.count <= 8, (shape + strides).allSatisfy({ $0 >= 0 }) else {
      return nil
    }
    var (count, last) = (1, offset)
    for (size, stride) in zip(shape, strides) {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      let (step, stepOverflow) = max(0, size - 1).multipliedReportingOverflow(by: stride)
      let (sum, sumOverflow) = last.addingReportingOverflow(step)
      guard !overflow, !stepOverflow, !sumOverflow else { return nil }
      (count, last) = (product, sum)
    }
    guard count == 0 ? offset <= storage.count : last < storage.count, count <= storage.count else { return nil }
    self.storage = storage
    self.offset = offset
    self.shape = shape
    self.strides = strides
    self.count = count
  }

  /// Whether its elements stand in the storage one behind the other.
  var isContiguous: Bool {
    // The sizes of one without elements may have any product.
    guard count > 0 else { return true }
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() where size != 1 {
      if stride != expected { return false }
      expected *= size
    }
    return true
  }

  /// The places of its elements in the storage, row-major.
  var places: [Int] {
    var places = [offset]
    for (size, stride) in zip(shape, strides) {
      places = places.flatMap { place in (0..<size).map { place + $0 * stride } }
    }
    return places
  }
}
