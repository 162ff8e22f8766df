import FeatureCaching
import Tensors

/// The random choices that a run of the authors' code made for one row of a batch.
///
/// They stand under `stepN.kmeans.STREAM.init_indices` and `stepN.fresh.STACKn.STREAM`; DiT's has one stream without a
/// name in the former.
struct RecordedChoices: TokenChoices {
  private var centroids: [TokenStream: [Int]] = [:]
  private var fresh: [Key: [Int]] = [:]

  private struct Key: Hashable {
    var step: Int
    var block: Int
    var stream: TokenStream
  }

  /// - Parameter streams: by the names that the recording has for them; "" for a name left out.
  init(_ comparison: GoldenComparison, row: Int, streams: [String: TokenStream]) throws {
    for name in comparison.recorded.names {
      let parts = name.split(separator: ".").map(String.init)
      guard parts.count >= 3, parts[0].hasPrefix("step"), let step = Int(parts[0].dropFirst(4)) else { continue }
      let rows = { try comparison.recorded.tensor(name).rows(row..<row + 1).int64Values().map(Int.init) }
      if parts[1] == "kmeans", parts.last == "init_indices",
        let stream = streams[parts.count == 4 ? parts[2] : ""]
      {
        centroids[stream] = try rows()
      } else if parts.count == 4, parts[1] == "fresh", let block = Int(parts[2].drop { !$0.isNumber }),
        let stream = streams[parts[3]]
      {
        fresh[Key(step: step, block: block, stream: stream)] = try rows()
      }
    }
  }

  func initialCentroids(_ count: Int, of tokens: Int, stream: TokenStream) -> [Int] {
    // What was not recorded shows as a difference.
    let recorded = centroids[stream] ?? []
    return recorded.count == count && recorded.allSatisfy { $0 >= 0 && $0 < tokens }
      ? recorded : Array(repeating: 0, count: count)
  }

  func freshTokens(step: Int, branch: Branch, clusters: TokenClusters) -> [Int?] {
    let recorded = fresh[Key(step: step, block: branch.block, stream: branch.stream)] ?? []
    let fits = recorded.count == clusters.count && recorded.allSatisfy { clusters.labels.indices.contains($0) }
    return fits ? recorded : clusters.heaviestTokens(clusters.labels.map { _ in 0 })
  }

  /// None are recorded.
  func scores(step: Int, branch: Branch, tokens: Int) -> [Float] { Array(repeating: 0, count: tokens) }
}
