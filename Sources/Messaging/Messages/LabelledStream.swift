import CMessages

/// What a tensor holds.
public enum WireStream: UInt32, Sendable, Hashable, CaseIterable {
  case image = 1
  case text = 2
  case joint = 3
  case pooled = 4
  case latents = 5
  case output = 6
  case state = 7
  case prompt = 8
  case probe = 9
  case forecasts = 10
  case table = 11
  case gates = 12
  case rows = 13
}

/// The clusters of a stream's tokens. The labels themselves stand in the payload, those of all streams one after another,
/// 16 bits each, little-endian: 8 KiB for the 4096 tokens of a picture.
public struct LabelledStream: Sendable, Hashable {
  /// The most streams in one message.
  static let maximumStreams = 4

  public var stream: WireStream
  /// Labels, one a token.
  public var tokens: UInt32
  /// Labels lie below this.
  public var clusters: UInt32

  public init(_ stream: WireStream, tokens: UInt32, clusters: UInt32) {
    self.stream = stream
    self.tokens = tokens
    self.clusters = clusters
  }

  /// Bytes of the payload.
  public static func byteCount(_ streams: [LabelledStream]) -> Int { streams.reduce(0) { $0 + 2 * Int($1.tokens) } }

  /// The payload of labels, which must be 0..<65536; one list a stream, in the order of the message's streams.
  public static func pack(_ labels: [[Int32]]) -> Payload {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * labels.reduce(0) { $0 + $1.count })
    for label in labels.joined() {
      precondition(label >= 0 && label <= UInt16.max, "a label needs more than 16 bits")
      bytes.append(UInt8(truncatingIfNeeded: label))
      bytes.append(UInt8(truncatingIfNeeded: label >> 8))
    }
    return Payload(bytes)
  }

  /// The labels of a payload, one list a stream.
  ///
  /// - Throws: `MalformedMessage`, with the offset in the payload, if a label is not below its number of clusters.
  public static func unpack(_ payload: Payload, _ streams: [LabelledStream]) throws(MalformedMessage) -> [[Int32]] {
    guard payload.count == byteCount(streams) else {
      throw MalformedMessage("The labels do not fill the payload", at: 0)
    }
    return try payload.withBytes { bytes throws(MalformedMessage) in
      var offset = 0
      var result: [[Int32]] = []
      for stream in streams {
        var labels: [Int32] = []
        labels.reserveCapacity(Int(stream.tokens))
        for _ in 0..<stream.tokens {
          let label = UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8
          guard label < stream.clusters else {
            throw MalformedMessage("A label lies outside of the clusters", at: offset)
          }
          labels.append(Int32(label))
          offset += 2
        }
        result.append(labels)
      }
      return result
    }
  }
}

extension HeaderReader {
  func labels() throws(MalformedMessage) -> [LabelledStream] {
    let most = LabelledStream.maximumStreams
    let streams = try list(\.label_streams, count: self[\.n_label_streams], .labelStreams, maximum: most).map(
      \.rawValue)
    let counts = try list(\.label_counts, count: self[\.n_label_counts], .labelCounts, maximum: most)
    let clusters = try list(\.label_clusters, count: self[\.n_label_clusters], .labelClusters, maximum: most)
    guard streams.count == counts.count, streams.count == clusters.count else {
      throw malformed(.labelStreams, "is not as long as its counts")
    }
    var result: [LabelledStream] = []
    for (index, number) in streams.enumerated() {
      guard let stream = WireStream(rawValue: number), !result.contains(where: { $0.stream == stream }) else {
        throw malformed(.labelStreams, "holds an unknown stream, or one twice")
      }
      guard (1...UInt32(TensorPlan.maximumDimension)).contains(counts[index]) else {
        throw malformed(.labelCounts, "is out of range")
      }
      guard (1...65536).contains(clusters[index]) else { throw malformed(.labelClusters, "is out of range") }
      result.append(LabelledStream(stream, tokens: counts[index], clusters: clusters[index]))
    }
    return result
  }
}

extension HeaderWriter {
  func write(_ labels: [LabelledStream]) {
    let labels = labels.prefix(LabelledStream.maximumStreams)
    (message.label_streams, message.n_label_streams) = list(labels.map { CMessages.Clusca__Stream($0.stream.rawValue) })
    (message.label_counts, message.n_label_counts) = list(labels.map(\.tokens))
    (message.label_clusters, message.n_label_clusters) = list(labels.map(\.clusters))
  }
}
