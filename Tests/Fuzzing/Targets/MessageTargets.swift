import FeatureCaching
import Messaging
import StrictJSON

@testable import RenderCluster
@testable import clusca

/// What comes from peers, apart from tensors.
enum MessageTargets {
  /// Four bytes with the length of the payload, then the header.
  static func message(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let payloadBytes = Int(input.number(UInt32.self))
    let header = input.rest()
    let codec = EnvelopeCodec()
    guard let message = try? codec.decode(header, payloadBytes: payloadBytes) else { return }
    let encoded = codec.encode(message)
    demand(encoded.count <= codec.limits.headerBytes, "A message that was read is too long to be written")
    demand((try? codec.decode(encoded, payloadBytes: payloadBytes)) == message, "A message changes when it is written")
  }

  /// A byte that says what the payload is of, then the payload.
  static func settings(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    switch input.byte() % 6 {
    case 0:
      guard let settings = try? SampleSettings(Payload(input.rest())) else { return }
      demand((try? SampleSettings(settings.payload)) == settings, "Settings of a sample change")
    case 1:
      guard let settings = try? TaskSettings(Payload(input.rest())) else { return }
      demand((try? TaskSettings(settings.payload)) == settings, "Settings of a task change")
    case 2:
      guard let facts = try? TaskFacts(Payload(input.rest())) else { return }
      demand((try? TaskFacts(facts.payload)) == facts, "Facts of a task change")
    case 3:
      guard let json = try? JSONValue(parsing: input.rest()) else { return }
      if let command = JobCommand(json) { demand(JobCommand(.object(command.json)) == command, "A command changes") }
      if let query = JobQuery(json) { demand(JobQuery(.object(query.json)) == query, "A query changes") }
    case 4:
      guard let request = try? JobRequest(input.rest()) else { return }
      _ = try? request.priority()
    default:
      let streams = (0..<input.byte() % 5).map { _ in
        LabelledStream(
          WireStream.allCases[Int(input.byte()) % WireStream.allCases.count], tokens: UInt32(input.byte()),
          clusters: UInt32(input.number(UInt16.self)))
      }
      let payload = Payload(input.rest())
      guard let clusters = try? WireClusters.unpack(streams, payload) else { return }
      for (stream, clusters) in clusters {
        demand(clusters.labels.allSatisfy { $0 >= 0 && $0 < clusters.count }, "A label of \(stream) is out of range")
      }
    }
  }
}
