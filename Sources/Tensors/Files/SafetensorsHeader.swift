import Files
import StrictJSON

/// The JSON at the beginning of a safetensors file, checked in full against the size of the file.
///
/// The format: eight bytes of length N, little-endian; N bytes of JSON, an object from names to
/// `{"dtype": …, "shape": […], "data_offsets": [begin, end]}` and perhaps `__metadata__`, an object of strings; then the
/// bytes of the tensors, which the offsets count from and must cover exactly. Source of the rules: the validation in the
/// format's reference implementation (safetensors/src/tensor.rs). Stricter here: the length limit (the reference allows
/// 100 MB), no key twice, at most eight dimensions.
struct SafetensorsHeader {
  static let maximumByteCount = 16 << 20

  struct Entry {
    let name: String
    let dtype: DType
    let shape: [Int]
    /// The bytes within the file's data.
    let range: Range<Int>
  }

  /// In the order of the data.
  let entries: [Entry]
  let metadata: [String: String]

  /// - Parameters:
  ///   - json: the header without its length.
  ///   - dataByteCount: how many bytes the file holds behind the header.
  init(json: [UInt8], dataByteCount: Int, path: String) throws(SafetensorsError) {
    // The reference demands this first byte; white space is allowed only behind the object, as padding.
    guard json.first == UInt8(ascii: "{") else {
      throw SafetensorsError(path: path, .malformedHeader("it does not begin with {"))
    }
    let document: JSONValue
    do throws(JSONError) {
      document = try JSONValue(parsing: json, limits: JSONLimits(maximumBytes: Self.maximumByteCount, maximumDepth: 8))
    } catch {
      throw SafetensorsError(path: path, .malformedHeader(error.description.printable()))
    }
    guard let members = document.object else {
      throw SafetensorsError(path: path, .malformedHeader("it is not an object"))
    }
    var metadata: [String: String] = [:]
    var entries: [Entry] = []
    var names: Set<String> = []
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, path: path)
      } else {
        // The parser compares bytes; strings that differ only in how an accent is encoded are equal as names.
        guard names.insert(name).inserted else { throw SafetensorsError(path: path, tensor: name, .duplicateName) }
        entries.append(try Self.entry(name, value, path: path))
      }
    }
    // An empty tensor stands before the one that begins at the same byte.
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound, $0.name) < ($1.range.lowerBound, $1.range.upperBound, $1.name)
    }
    try Self.checkCoverage(entries, dataByteCount: dataByteCount, path: path)
    self.entries = entries
    self.metadata = metadata
  }

  private static func metadata(_ value: JSONValue, path: String) throws(SafetensorsError) -> [String: String] {
    guard let members = value.object else {
      throw SafetensorsError(path: path, .malformedHeader("__metadata__ is not an object"))
    }
    var metadata: [String: String] = [:]
    for (key, value) in members {
      guard let text = value.string else {
        throw SafetensorsError(path: path, .malformedHeader("__metadata__ \"\(key.printable())\" is not a string"))
      }
      guard metadata.updateValue(text, forKey: key) == nil else {
        throw SafetensorsError(path: path, .malformedHeader("__metadata__ \"\(key.printable())\" stands twice"))
      }
    }
    return metadata
  }

  private static func entry(_ name: String, _ value: JSONValue, path: String) throws(SafetensorsError) -> Entry {
    func failure(_ problem: SafetensorsError.Problem) -> SafetensorsError {
      SafetensorsError(path: path, tensor: name, problem)
    }
    guard let typeName = value["dtype"]?.string else { throw failure(.malformedHeader("it has no dtype")) }
    guard let dtype = DType(rawValue: typeName) else { throw failure(.unknownDType(typeName)) }
    guard let dimensions = value["shape"]?.array else { throw failure(.malformedHeader("it has no shape")) }
    guard dimensions.count <= TensorShape.maximumRank else { throw failure(.rankTooLarge(dimensions.count)) }
    guard let shape = integers(dimensions) else {
      throw failure(.malformedHeader("a dimension is not a whole number"))
    }
    guard let expected = TensorShape.byteCount(shape, dtype) else { throw failure(.impossibleShape(shape)) }
    guard let offsets = value["data_offsets"]?.array, offsets.count == 2 else {
      throw failure(.malformedHeader("it has no pair of data_offsets"))
    }
    guard let offsets = integers(offsets), offsets[0] >= 0, offsets[1] >= 0 else {
      throw failure(.malformedHeader("its data_offsets are not whole numbers from zero on"))
    }
    guard offsets[0] <= offsets[1] else { throw failure(.descendingOffsets(begin: offsets[0], end: offsets[1])) }
    let range = offsets[0]..<offsets[1]
    guard range.count == expected else { throw failure(.wrongLength(byteCount: range.count, expected: expected)) }
    return Entry(name: name, dtype: dtype, shape: shape, range: range)
  }

  /// The values if all of them are written as whole numbers that fit 64 bits.
  private static func integers(_ values: [JSONValue]) -> [Int]? {
    var integers: [Int] = []
    for value in values {
      guard case .integer(let integer) = value else { return nil }
      integers.append(integer)
    }
    return integers
  }

  /// Demands that the tensors follow one another without gap or overlap and end where the file ends.
  private static func checkCoverage(
    _ entries: [Entry], dataByteCount: Int, path: String
  ) throws(SafetensorsError) {
    var position = 0
    for entry in entries {
      let begin = entry.range.lowerBound
      guard begin >= position else {
        throw SafetensorsError(path: path, tensor: entry.name, .overlap(begin: begin, expected: position))
      }
      guard begin == position else {
        throw SafetensorsError(path: path, tensor: entry.name, .gap(begin: begin, expected: position))
      }
      position = entry.range.upperBound
    }
    guard position <= dataByteCount else {
      throw SafetensorsError(path: path, .truncated(missingBytes: position - dataByteCount))
    }
    guard position == dataByteCount else {
      throw SafetensorsError(path: path, .trailingBytes(dataByteCount - position))
    }
  }
}
