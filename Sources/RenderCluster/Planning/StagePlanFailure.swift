/// Why no plan is possible, as one sentence with the numbers.
public struct StagePlanFailure: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }

  /// - Parameters:
  ///   - blocks: of which there is at least one.
  ///   - overhead: the bytes that every stage needs beside weights and caches.
  static func doesNotFit(_ blocks: [BlockCost], _ workers: [WorkerCapacity], overhead: Int) -> StagePlanFailure {
    let start = "No set of these workers can hold the model: "
    let needs = blocks.bytesAlone
    let largest = workers.map(\.memoryBytes).max() ?? 0
    let biggest = needs.indices.max { needs[$0] < needs[$1] } ?? 0
    if needs[biggest] + overhead > largest {
      return StagePlanFailure(
        start + "block \(biggest) needs \(bytes(needs[biggest] + overhead)) with what it keeps and computes of one "
          + "sample and \(bytes(overhead)) that every stage takes, but the largest worker has \(bytes(largest)).")
    }
    let total = blocks.reduce(0) { $0 + $1.weightBytes + $1.cacheBytes }
    let memory = workers.reduce(0) { $0 + $1.memoryBytes }
    let room = workers.reduce(0) { $0 + max(0, $1.memoryBytes - overhead) }
    let have = workers.count == 1 ? "the only worker has" : "the \(workers.count) workers have"
    let comparison =
      "its blocks need \(bytes(total)) with the features of one sample, and \(have) "
      + "\(bytes(memory)), of which every stage takes \(bytes(overhead)) for itself"
    return StagePlanFailure(
      start + comparison + (room < total ? "." : "; that would do, but not for whole blocks that follow each other."))
  }

  /// Bytes in powers of ten, as memory is described in files of workers: `1.2 GB`.
  static func bytes(_ count: Int) -> String {
    var (value, unit) = (Double(count), "bytes")
    for larger in ["kB", "MB", "GB", "TB"] where value >= 999.95 {
      (value, unit) = (value / 1000, larger)
    }
    return unit == "bytes" ? "\(count) bytes" : "\(tenths(value)) \(unit)"
  }

  /// With one digit behind the point.
  static func tenths(_ value: Double) -> String {
    let scaled = Int(min(max(value, 0), 1e12) * 10 + 0.5)
    return "\(scaled / 10).\(scaled % 10)"
  }
}
