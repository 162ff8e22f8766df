import FeatureCaching
import Messaging

extension TokenStream {
  var wire: WireStream {
    switch self {
    case .image: .image
    case .text: .text
    case .joint: .joint
    }
  }
}

extension WireStream {
  /// The tokens' stream; nil for what holds no tokens.
  var tokens: TokenStream? { TokenStream.allCases.first { $0.wire == self } }
}

/// Labels of clusters as they travel: a description in the header, and themselves in the payload.
struct WireLabels: Sendable, Equatable {
  var labels: [LabelledStream] = []
  var payload = Payload.empty
}

/// The clusters of each stream as they travel: a description in the header and the labels in the payload.
enum WireClusters {
  static func pack(_ clusters: [TokenStream: TokenClusters]) -> WireLabels {
    // In the order of the cases, not of the dictionary.
    let streams = TokenStream.allCases.compactMap { stream in clusters[stream].map { (stream, $0) } }
    let labels = streams.map { stream, clusters in
      LabelledStream(stream.wire, tokens: UInt32(clusters.labels.count), clusters: UInt32(clusters.count))
    }
    return WireLabels(labels: labels, payload: LabelledStream.pack(streams.map { $0.1.labels }))
  }

  static func unpack(_ labels: [LabelledStream], _ payload: Payload) throws -> [TokenStream: TokenClusters] {
    var clusters: [TokenStream: TokenClusters] = [:]
    for (label, values) in zip(labels, try LabelledStream.unpack(payload, labels)) {
      guard let stream = label.stream.tokens else { throw WireError("Clusters of \(label.stream) came") }
      clusters[stream] = TokenClusters(labels: values, count: Int(label.clusters))
    }
    return clusters
  }
}
