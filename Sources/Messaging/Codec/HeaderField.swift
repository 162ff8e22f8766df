/// The fields of `Header` in `Proto/clusca.proto`, under their numbers.
enum HeaderField: Int, CaseIterable {
  case epoch = 1
  case job, row, attempt, stage, step, sequence
  case `protocol`, build, role, name, incarnation, numerics, threads, memoryBytes, models, address, leaseMilliseconds
  case reason, text, acknowledged
  case progress, block, residentBytes, cacheBytes, heard
  case lower, upper, stages, model, precision, nextAddress, nextKey, previousKey
  case guidance, frames, rows, columns, seed, steps, textTokens
  case stepKind, distance, timestep, labelStreams, labelCounts, labelClusters, microseconds
  case transfer, stream, dtype, dims, offset, totalBytes, checksum, window
  case request, phase, total, outcome
  case operationsPerSecond, clockMicroseconds, signal
  case roles, bytesPerSecond
  case heldEpoch, heldAttempt, heldStep

  /// How a field is laid out.
  enum Layout {
    case varint32
    case varint64
    case fixed32
    case fixed64
    /// UTF-8 without zero bytes.
    case text
    case bytes
    /// Several times, each a field of its own.
    case repeatedBytes
    /// Several varints of 32 bits in one field.
    case packed
  }

  var layout: Layout {
    switch self {
    case .epoch, .job, .sequence, .memoryBytes, .acknowledged, .progress, .residentBytes, .cacheBytes, .heard,
      .microseconds, .transfer, .offset, .totalBytes, .window, .operationsPerSecond, .clockMicroseconds,
      .bytesPerSecond, .heldEpoch:
      .varint64
    case .guidance, .timestep, .signal: .fixed32
    case .incarnation, .seed, .checksum: .fixed64
    case .build, .name, .address, .text, .nextAddress, .nextKey, .previousKey: .text
    case .numerics, .model, .request: .bytes
    case .models: .repeatedBytes
    case .labelStreams, .labelCounts, .labelClusters, .dims: .packed
    default: .varint32
    }
  }
}

/// Some fields of a header. Their numbers lie below ``limit``.
struct FieldSet: Sendable, Hashable, ExpressibleByArrayLiteral {
  static let limit = UInt128.bitWidth

  private var bits: UInt128 = 0

  static let fence: FieldSet = [.epoch, .job, .row, .attempt, .stage, .step, .sequence]

  init(arrayLiteral fields: HeaderField...) {
    for field in fields { bits |= 1 << UInt128(field.rawValue) }
  }

  func contains(_ field: HeaderField) -> Bool { bits >> UInt128(field.rawValue) & 1 == 1 }

  mutating func insert(_ field: HeaderField) { bits |= 1 << UInt128(field.rawValue) }

  func union(_ other: FieldSet) -> FieldSet {
    var union = self
    union.bits |= other.bits
    return union
  }
}
