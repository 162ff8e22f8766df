import FeatureCaching
import Messaging
import StrictJSON
import Tensors

/// What a file says of an answer beside its numbers.
struct AnswerHeader: Sendable {
  /// Of the output; nil for a measurement.
  let shape: [Int]?
  let signal: Float?
  let labels: [LabelledStream]

  init(_ answer: Coordinator.Answer) {
    shape = answer.output?.shape
    signal = answer.signal
    labels = WireClusters.pack(answer.clusters).labels
  }

  var json: JSONValue {
    [
      "output": shape.map { .array($0.map(JSONValue.integer)) } ?? .null,
      "signal": signal.map { .integer(Int($0.bitPattern)) } ?? .null,
      "labels": .array(
        labels.map { [.integer(Int($0.stream.rawValue)), .integer(Int($0.tokens)), .integer(Int($0.clusters))] }),
    ]
  }

  /// - Throws: ``WireError`` for anything but what ``json`` makes.
  init(_ json: JSONValue) throws {
    shape = json["output"]?.array.map { $0.compactMap(\.int) }
    signal = json["signal"]?.int.flatMap(UInt32.init(exactly:)).map(Float.init(bitPattern:))
    labels = try (json["labels"]?.array ?? []).map { label in
      let numbers = (label.array ?? []).compactMap { $0.int.flatMap(UInt32.init(exactly:)) }
      guard numbers.count == 3, let stream = WireStream(rawValue: numbers[0]) else {
        throw WireError("its header names labels of nothing")
      }
      return LabelledStream(stream, tokens: numbers[1], clusters: numbers[2])
    }
  }

  /// - Parameter take: gives the next bytes of the file.
  func answer(_ take: (Int) throws -> Payload) throws -> Coordinator.Answer {
    let output: Tensor? = try shape.map { shape in
      guard let plan = TensorPlan(.output, .float32, shape: shape) else { throw WireError("an output has no size") }
      return try take(plan.byteCount).withBytes { Tensor($0.bindMemory(to: Float.self), shape: shape) }
    }
    let clusters = try WireClusters.unpack(labels, take(LabelledStream.byteCount(labels)))
    return Coordinator.Answer(output: output, clusters: clusters, signal: signal)
  }
}

extension Coordinator.Answer {
  /// As they stand in a file.
  var numbers: [Payload] {
    [output?.payload(), WireClusters.pack(clusters).payload].compactMap { $0 }.filter { $0.count > 0 }
  }
}
