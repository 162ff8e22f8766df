import Files

/// Why a safetensors file or an index of such files was refused: one sentence naming the file and, where there is one,
/// the tensor.
public struct SafetensorsError: Error, Sendable, Hashable, CustomStringConvertible {
  public let path: String
  public let tensor: String?
  public let problem: Problem

  public enum Problem: Sendable, Hashable {
    /// The file has fewer than the eight bytes of the header's length.
    case tooShort(byteCount: Int)
    case headerTooLong(byteCount: UInt64, limit: Int)
    /// The file ends within its header or its data.
    case truncated(missingBytes: Int)
    /// The header is no JSON object as the format wants it.
    case malformedHeader(String)
    case unknownDType(String)
    case rankTooLarge(Int)
    /// A negative or overflowing dimension or product.
    case impossibleShape([Int])
    case descendingOffsets(begin: Int, end: Int)
    case wrongLength(byteCount: Int, expected: Int)
    /// The tensor does not begin where the one before it ends.
    case overlap(begin: Int, expected: Int)
    case gap(begin: Int, expected: Int)
    /// Bytes behind the last tensor.
    case trailingBytes(Int)
    case duplicateName
    case missing
    case malformedIndex(String)
    case missingShard
    case missingFromShard
    case inTwoShards(first: String)
    /// Something that a file cannot hold, found before writing.
    case unwritable(String)
  }

  init(path: String, tensor: String? = nil, _ problem: Problem) {
    self.path = path
    self.tensor = tensor
    self.problem = problem
  }

  public var description: String {
    let place = tensor.map { "\(path.printable()): tensor \($0.printable())" } ?? path.printable()
    switch problem {
    case .tooShort(let count):
      return "\(place): \(count) bytes are too few for a safetensors file"
    case .headerTooLong(let count, let limit):
      return "\(place): the header claims \(count) bytes, more than the limit of \(limit); is this a safetensors file?"
    case .truncated(let missing):
      return "\(place): the file is truncated, \(missing) bytes are missing"
    case .malformedHeader(let reason):
      return "\(place): the header is not valid: \(reason)"
    case .unknownDType(let name):
      return "\(place): the element type \"\(name.printable(limit: 40))\" is not known"
    case .rankTooLarge(let rank):
      return "\(place): \(rank) dimensions are more than the limit of \(TensorShape.maximumRank)"
    case .impossibleShape(let shape):
      return "\(place): no tensor can have the shape \(shape)"
    case .descendingOffsets(let begin, let end):
      return "\(place): its bytes end at \(end), before their beginning at \(begin)"
    case .wrongLength(let count, let expected):
      return "\(place): it holds \(count) bytes, but its shape and type take \(expected)"
    case .overlap(let begin, let expected):
      return "\(place): its bytes begin at \(begin), inside those of another tensor, which end at \(expected)"
    case .gap(let begin, let expected):
      return "\(place): its bytes begin at \(begin), but those before it end at \(expected)"
    case .trailingBytes(let count):
      return "\(place): \(count) bytes behind the last tensor belong to none"
    case .duplicateName:
      return "\(place): the name stands twice"
    case .missing:
      return "\(place): there is no such tensor"
    case .malformedIndex(let reason):
      return "\(place): the index is not valid: \(reason)"
    case .missingShard:
      return "\(place): this part of the checkpoint is missing"
    case .missingFromShard:
      return "\(place): the index promises it here, but the file does not hold it"
    case .inTwoShards(let first):
      return "\(place): it stands in \(first.printable()) too"
    case .unwritable(let reason):
      return "\(place): cannot be written: \(reason)"
    }
  }
}
