import Messaging
import StrictJSON

/// The samples that a worker holds since before the coordinator was started: the JSON in the payload of `held`.
struct HeldSamples: Sendable, Equatable {
  struct Sample: Sendable, Equatable {
    let key: SampleKey
    /// Of its opening, in the epoch of the stage.
    let attempt: UInt32
    /// That comes next.
    let step: UInt32
    /// That step is being computed.
    let isBusy: Bool
  }

  /// More than fit beside weights.
  static let mostSamples = 1024

  var samples: [Sample]

  init(samples: [Sample]) { self.samples = Array(samples.prefix(Self.mostSamples)) }
}

extension HeldSamples {
  var payload: Payload {
    let list = samples.map { sample in
      [
        "job": .number(of: sample.key.job), "row": .integer(Int(sample.key.row)),
        "attempt": .integer(Int(sample.attempt)), "step": .integer(Int(sample.step)), "busy": .bool(sample.isBusy),
      ] as JSONValue
    }
    return Payload(JSONValue.object(["samples": .array(list)]).text())
  }

  /// - Throws: ``WireError`` for anything but what ``payload`` makes.
  init(_ payload: Payload) throws {
    let json = try JSONValue(payload, of: "what is held")
    guard let list = json["samples"]?.array, list.count <= Self.mostSamples else {
      throw WireError("What is held is no list of samples")
    }
    samples = try list.map { try Sample($0) }
    guard Set(samples.map(\.key)).count == samples.count else { throw WireError("A sample is held twice") }
  }
}

extension HeldSamples.Sample {
  fileprivate init(_ json: JSONValue) throws {
    func number<Number: FixedWidthInteger>(_ key: String) -> Number? { json[key]?.int.flatMap(Number.init(exactly:)) }
    guard let job: UInt64 = number("job"), let row: UInt32 = number("row"), let attempt: UInt32 = number("attempt"),
      let step: UInt32 = number("step"), let isBusy = json["busy"]?.bool, attempt > 0
    else { throw WireError("What is held has a sample without job, row, attempt or step") }
    self.init(key: SampleKey(job: job, row: row), attempt: attempt, step: step, isBusy: isBusy)
  }
}
