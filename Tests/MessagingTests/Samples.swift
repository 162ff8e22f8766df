import Tensors

@testable import Messaging

/// One message of every kind, with values unlike their defaults, and a payload that fits.
enum Samples {
  static let fence = Fence(
    epoch: 1 << 40, job: 7, row: 1, attempt: 3, stage: 2, step: 19, sequence: UInt64.max - 1)

  static let digest = Digest((0..<32).map { UInt8($0 * 7) })!
  static let key = PublicKey("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")!
  static let plan = TensorPlan(.image, .bfloat16, shape: [2, 3, 5])!

  static let bodies: [(MessageBody, payload: Int)] = [
    (
      .hello(
        Hello(
          build: "0.2.0 abcdef", role: .worker, name: "w-1.rack_2", incarnation: 1 << 60, numerics: digest, threads: 64,
          memoryBytes: 1 << 38, models: Array(repeating: digest, count: 32), address: "tcp://10.0.0.7:5000",
          operationsPerSecond: 1 << 42, roles: [.stages, .decode], bytesPerSecond: 1 << 36)), 0
    ),
    (.welcome(Welcome(build: "0.2.0", leaseMilliseconds: 15_000)), 0),
    (.refused(Refusal(.malformed, "Field 63 is unknown — Ω", offset: 17, acknowledged: 4)), 0),
    (
      .heartbeat(
        Heartbeat(
          progress: 9, block: 18, residentBytes: 1 << 33, cacheBytes: 1 << 30, heard: 6, clockMicroseconds: 1 << 50)), 0
    ),
    (.received(Receipt(acknowledged: 12)), 0),
    (.current, 0),
    (
      .assign(
        Assignment(
          blocks: 3..<19, stages: 4, model: digest, precision: .bfloat16,
          next: .init(address: "tcp://10.0.0.8:5000", key: key), previousKey: key, leaseMilliseconds: 15_000)), 0
    ),
    (
      .assign(
        Assignment(
          blocks: 0..<1, stages: 1, model: digest, precision: .float32, leaseMilliseconds: 1,
          held: .init(epoch: 1 << 40, attempt: 6))), 0
    ),
    (.release, 0),
    (.ready(Readiness(residentBytes: 5 << 30)), 0),
    (.failed(StageFailure(.numeric, "Not a number", block: 11)), 0),
    (.held(HeldStage(epoch: 1 << 41, blocks: 3..<19, stages: 4, model: digest, precision: .int8)), 60),
    (
      .openSample(
        SampleOpening(guidance: 3.5, frames: 1, rows: 64, columns: 48, seed: .max, steps: 28, textTokens: 512)), 33
    ),
    (
      .openSample(
        SampleOpening(
          guidance: -1, rows: 4, columns: 4, seed: 1, steps: 8, textTokens: 0, held: .init(attempt: 9, step: 12))), 33
    ),
    (.closeSample, 0),
    (.takeSnapshot(SnapshotOrder(destination: .init(address: "tcp://10.0.0.1:5001", key: key))), 0),
    (.snapshot, 51),
    (.stepBegin(StepOrder(.full, index: 0, timestep: 1000)), 0),
    (
      .stepBegin(
        StepOrder(
          .cached(distance: 4), index: 9, timestep: 12.25,
          labels: [.init(.image, tokens: 4096, clusters: 16), .init(.text, tokens: 512, clusters: 65536)])),
      2 * (4096 + 512)
    ),
    (.stepBegin(StepOrder(.measure, index: 7, timestep: 3)), 0),
    (.stepDone(StepReport(microseconds: 5, signal: 0.25)), 0),
    (
      .stepDone(
        StepReport(microseconds: 123_456, clockMicroseconds: 1 << 51, labels: [.init(.joint, tokens: 1, clusters: 1)])),
      2
    ),
    (
      .task(
        TaskOrder(
          .encode(textTokens: 512), model: digest, precision: .bfloat16,
          destination: .init(address: "tcp://10.0.0.1:5001", key: key))), 70
    ),
    (
      .task(
        TaskOrder(
          .decode(frames: 33, rows: 45, columns: 80), model: digest, precision: .float32,
          destination: .init(address: "ipc:///run/outputs", key: nil))), 20
    ),
    (.taskDone(TaskReport(microseconds: 77)), 40),
    (.chunk(TensorChunk(transfer: 8, plan: plan, offset: 0, checksum: 0xDEAD_BEEF_0BAD_F00D)), 60),
    (.ack(ChunkReceipt(transfer: 8, offset: 4 << 20, window: 16 << 20)), 0),
    (.resend(ChunkRequest(transfer: 8, offset: 4 << 20)), 0),
    (.credit(WindowChange(transfer: 8, window: 1)), 0),
    (.submit(Submission(key: Array(0..<16))), 100),
    (.accepted(Acceptance(acknowledged: 2)), 0),
    (.status, 1000),
    (.cancel, 0),
    (.jobs, 1000),
    (.fetch, 0),
    (.event(JobEvent(.denoising, progress: 4, total: 28)), 70_000),
    (.done(JobEnding(.failed, reason: .memory, text: "Too large")), 10),
    (.done(JobEnding(.done)), 10),
  ]

  static func fields(of body: MessageBody) -> [UInt8] {
    Array(EnvelopeCodec().encode(Message(body, fence: Fence())).dropFirst(EnvelopeCodec.prefixBytes))
  }
}

/// Bytes on the way to a header that no encoder would write.
struct RawHeader {
  var bytes: [UInt8]

  init(_ kind: UInt8, version: UInt8 = 2) { bytes = Array("CLSC".utf8) + [version, kind, 0, 0] }

  private mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(value & 0x7F) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  func number(_ field: Int, _ value: UInt64) -> RawHeader {
    var copy = self
    copy.varint(UInt64(field << 3))
    copy.varint(value)
    return copy
  }

  func blob(_ field: Int, _ value: [UInt8]) -> RawHeader {
    var copy = self
    copy.varint(UInt64(field << 3 | 2))
    copy.varint(UInt64(value.count))
    copy.bytes += value
    return copy
  }

  func raw(_ more: [UInt8]) -> RawHeader {
    var copy = self
    copy.bytes += more
    return copy
  }
}

/// A generator whose numbers depend on its seed alone (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }
}
