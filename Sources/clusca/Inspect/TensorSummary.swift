import StrictJSON
import Tensors

/// How many tensors, numbers and bytes some weights have, by element type.
struct TensorSummary {
  struct Count: Equatable {
    var tensors = 0
    var elements = 0
    var bytes = 0
  }

  /// In the order in which the types were first seen.
  private(set) var types: [(dtype: DType, count: Count)] = []

  init(_ tensors: [StoredTensor]) {
    for tensor in tensors {
      let index = types.firstIndex { $0.dtype == tensor.dtype } ?? types.count
      if index == types.count { types.append((tensor.dtype, Count())) }
      types[index].count.tensors += 1
      types[index].count.elements += tensor.elementCount
      types[index].count.bytes += tensor.byteCount
    }
  }

  var total: Count {
    types.reduce(into: Count()) { sum, type in
      sum.tensors += type.count.tensors
      sum.elements += type.count.elements
      sum.bytes += type.count.bytes
    }
  }

  var rows: [(label: String, value: String)] {
    let total = total
    let names = types.map { type in
      types.count == 1 ? type.dtype.rawValue : "\(type.dtype.rawValue) (\(DecimalText.grouped(type.count.tensors)))"
    }
    return [
      ("tensors", "\(DecimalText.grouped(total.tensors)) of \(names.joined(separator: ", "))"),
      ("parameters", DecimalText.grouped(total.elements)),
      ("size", "\(ByteCount(total.bytes)) (\(DecimalText.grouped(total.bytes)) bytes)"),
    ]
  }

  var json: JSONObject {
    let total = total
    var byType = JSONObject()
    for type in types {
      byType[type.dtype.rawValue] = [
        "tensors": .integer(type.count.tensors), "parameters": .integer(type.count.elements),
        "bytes": .integer(type.count.bytes),
      ]
    }
    return [
      "tensor_count": .integer(total.tensors), "parameters": .integer(total.elements), "bytes": .integer(total.bytes),
      "dtypes": .object(byType),
    ]
  }
}
