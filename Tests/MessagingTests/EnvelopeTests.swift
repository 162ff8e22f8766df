import CMessages
import Testing

@testable import Messaging

@Suite struct EnvelopeTests {
  private let codec = EnvelopeCodec()

  private func error(_ header: RawHeader, payload: Int = 0) -> MalformedMessage? {
    do {
      _ = try codec.decode(header.bytes, payloadBytes: payload)
      return nil
    } catch {
      return error
    }
  }

  @Test func everyKindComesBackAsItWas() throws {
    for (body, payload) in Samples.bodies {
      let message = Message(body, fence: Samples.fence)
      let header = codec.encode(message)
      #expect(header.count <= codec.limits.headerBytes)
      #expect(try codec.decode(header, payloadBytes: payload) == message)
      #expect(header[5] == body.kind.rawValue)
    }
    #expect(Set(Samples.bodies.map(\.0.kind)) == Set(MessageKind.allCases))
  }

  @Test func aPayloadOfAnotherLengthIsMalformed() throws {
    for (body, payload) in Samples.bodies {
      let header = codec.encode(Message(body))
      let wrong =
        [.openSample, .snapshot, .held, .submit, .event, .done, .status, .jobs, .task, .taskDone].contains(body.kind)
        ? 2 << 20 : payload + 1
      #expect(throws: MalformedMessage.self) { try codec.decode(header, payloadBytes: wrong) }
    }
  }

  @Test func bytesInFrontAreChecked() {
    #expect(error(RawHeader(4)) == nil)
    #expect(error(RawHeader(4, version: 1))?.offset == 4)
    for kind: UInt8 in [0, 7, 9, 48, 255] { #expect(error(RawHeader(kind))?.offset == 5) }
    var header = RawHeader(4)
    header.bytes[7] = 1
    #expect(error(header)?.offset == 6)
    header.bytes = Array("CLSD".utf8) + [1, 4, 0, 0]
    #expect(error(header)?.offset == 0)
    for count in 0..<8 {
      header.bytes = Array(RawHeader(4).bytes.prefix(count))
      #expect(error(header)?.offset == count)
    }
    #expect(error(RawHeader(3).blob(20, Array(repeating: 0x61, count: 4096))) != nil)
  }

  @Test func whatIsNoFieldOfTheKindIsMalformed() {
    #expect(error(RawHeader(4).number(22, 1)) == nil)
    // Of another kind, unknown, beyond 127, twice, in another layout, with a number that is too large.
    for header in [
      RawHeader(4).number(59, 1), RawHeader(4).number(63, 1), RawHeader(4).number(100, 1),
      RawHeader(4).number(128, 1), RawHeader(4).number(1000, 1),
      RawHeader(4).number(0, 1), RawHeader(4).blob(22, [1]), RawHeader(4).number(23, 1 << 32),
      RawHeader(4).raw([0xB0, 0x01] + Array(repeating: 0xFF, count: 9) + [0x02]), RawHeader(4).raw([0xB3, 0x01]),
      RawHeader(4).raw([0xB4, 0x01]), RawHeader(4).raw([0xB6, 0x01]),
    ] {
      #expect(error(header)?.offset ?? 0 >= 8)
    }
    #expect(error(RawHeader(4).number(22, 1).number(22, 1)) == MalformedMessage("progress stands twice", at: 11))
  }

  @Test func aHeaderThatEndsTooEarlyIsMalformed() {
    for (body, payload) in Samples.bodies {
      let header = codec.encode(Message(body, fence: Samples.fence))
      for count in 0..<header.count {
        var cut = RawHeader(1)
        cut.bytes = Array(header.prefix(count))
        if let message = try? codec.decode(cut.bytes, payloadBytes: payload) {
          // A cut between two fields can leave a message, but never the same one.
          #expect(message != Message(body, fence: Samples.fence))
        }
      }
    }
  }

  @Test func moreThanSixtyFourFieldsAreRefused() {
    var header = RawHeader(1)
    for _ in 0..<65 { header = header.blob(16, []) }
    #expect(error(header) == MalformedMessage("More than 64 fields", at: 8 + 64 * 3))
    // Of 33 models, the reader takes no more than 32.
    header = RawHeader(1).blob(11, Array("w".utf8)).number(10, 1)
    for _ in 0..<33 { header = header.blob(16, Array(repeating: 1, count: 32)) }
    #expect(error(header)?.reason == "models has more than 32 entries")
  }

  @Test func memoryToUnpackHasABudget() {
    var codec = EnvelopeCodec()
    codec.limits.unpackingBytes = 1024
    let header = codec.encode(Message(Samples.bodies[0].0))
    #expect(throws: MalformedMessage("The fields cannot be unpacked", at: 8)) {
      try codec.decode(header, payloadBytes: 0)
    }
  }

  @Test func unknownMembersOfEnumerationsAreRefused() {
    let name = RawHeader(1).blob(11, Array("w".utf8))
    #expect(error(name.number(10, 1)) == nil)
    for role: UInt64 in [0, 6, 1000, UInt64(UInt32.max)] { #expect(error(name.number(10, role))?.offset == 11) }
    #expect(error(RawHeader(3).number(19, 20)) == MalformedMessage("reason is unknown: 20", at: 8))
    // One that is missing has the place of the end.
    #expect(error(RawHeader(3))?.offset == 8)
  }

  @Test func textsAreCheckedAndCut() throws {
    let role = RawHeader(1).number(10, 1)
    for name in ["", "-w", "a b", "a/b", "ü", String(repeating: "x", count: 65), "..", "a\u{1B}"] {
      #expect(error(role.blob(11, Array(name.utf8))) != nil)
    }
    #expect(error(role.blob(11, [0x77, 0])) != nil)
    #expect(error(role.blob(11, [0xC3])) != nil)
    let long = Refusal(.internal, String(repeating: "é", count: 2000))
    let header = codec.encode(Message(.refused(long)))
    guard case .refused(let cut) = try codec.decode(header, payloadBytes: 0).body else {
      throw MalformedMessage("", at: 0)
    }
    #expect(cut.text == String(repeating: "é", count: 512))
  }

  @Test func numbersAreFinite() {
    let sample = RawHeader(20).number(36, 1).number(37, 1).number(38, 1)
    let guidance: [UInt8] = [0x9D, 0x02]
    #expect(error(sample.raw(guidance + [0, 0, 0x60, 0x40])) == nil)
    #expect(error(sample.raw(guidance + [0, 0, 0xC0, 0x7F])) != nil)
    #expect(error(sample.raw(guidance + [0, 0, 0x80, 0xFF])) != nil)
    #expect(error(RawHeader(20).number(36, 1).number(37, 0).number(38, 1)) != nil)
  }

  @Test func shapesAreChecked() {
    func chunk(_ dims: [UInt8], total: UInt64, offset: UInt64 = 0, dtype: UInt64 = 1) -> RawHeader {
      RawHeader(30).number(50, 1).number(51, dtype).blob(52, dims).number(53, offset).number(54, total)
    }
    #expect(error(chunk([2, 3], total: 24), payload: 24) == nil)
    #expect(error(chunk([2, 3], total: 24), payload: 23) != nil)
    #expect(error(chunk([2, 3], total: 25), payload: 25) != nil)
    #expect(error(chunk([2, 3], total: 24, offset: 24), payload: 0) != nil)
    #expect(error(chunk([2, 3], total: 24, dtype: 6), payload: 24) != nil)
    #expect(error(chunk([], total: 4), payload: 4) != nil)
    #expect(error(chunk([0], total: 0), payload: 0) != nil)
    #expect(error(chunk(Array(repeating: 1, count: 8), total: 4), payload: 4) == nil)
    #expect(error(chunk(Array(repeating: 1, count: 9), total: 4), payload: 4) != nil)
    // 2^24 in three dimensions and four bytes need 74 bits.
    let large: [UInt8] = [0x80, 0x80, 0x80, 0x08]
    #expect(error(chunk(large + large + large, total: 0), payload: 0)?.reason == "dims is no shape")
    #expect(error(chunk([0x81, 0x80, 0x80, 0x08], total: 0), payload: 0)?.reason == "dims is no shape")
    // A number that goes on beyond its field.
    #expect(error(chunk([0x80], total: 4), payload: 4) != nil)
  }

  @Test func labelsComeBackAndStayBelowTheirClusters() throws {
    let streams = [LabelledStream(.image, tokens: 3, clusters: 65536), LabelledStream(.text, tokens: 2, clusters: 4)]
    let labels: [[Int32]] = [[0, 65535, 256], [3, 0]]
    let payload = LabelledStream.pack(labels)
    #expect(payload.bytes == [0, 0, 255, 255, 0, 1, 3, 0, 0, 0])
    #expect(try LabelledStream.unpack(payload, streams) == labels)
    #expect(throws: MalformedMessage("A label lies outside of the clusters", at: 6)) {
      try LabelledStream.unpack(LabelledStream.pack([[0, 1, 2], [4, 0]]), streams)
    }
    #expect(throws: MalformedMessage.self) { try LabelledStream.unpack(Payload([0]), streams) }
    // One stream twice; lists of different lengths.
    let step = RawHeader(22).number(42, 1)
    #expect(error(step.blob(45, [1, 1]).blob(46, [1, 1]).blob(47, [1, 1]), payload: 4) != nil)
    #expect(error(step.blob(45, [1]).blob(46, [1, 1]).blob(47, [1]), payload: 2) != nil)
    #expect(error(step.blob(45, [1]).blob(46, [1]).blob(47, [1]), payload: 2) == nil)
  }

  @Test func aHundredThousandMutatedHeadersCrashNothing() throws {
    var generator = SeededGenerator(seed: 20_251_112)
    let headers = Samples.bodies.map { (codec.encode(Message($0.0, fence: Samples.fence)), $0.payload) }
    var (decoded, refused) = (0, 0)
    for _ in 0..<100_000 {
      var (header, payload) = headers[Int.random(in: 0..<headers.count, using: &generator)]
      for _ in 0...Int.random(in: 0..<4, using: &generator) {
        mutate(&header, using: &generator)
      }
      if Int.random(in: 0..<8, using: &generator) == 0 { payload += Int.random(in: -1...1, using: &generator) }
      do {
        let message = try codec.decode(header, payloadBytes: payload)
        decoded += 1
        // What was understood is written so that it is understood in the same way.
        #expect(try codec.decode(codec.encode(message), payloadBytes: payload) == message)
      } catch {
        refused += 1
        #expect(error.offset <= max(header.count, codec.limits.headerBytes))
      }
    }
    #expect(decoded > 1_000 && refused > 10_000)
  }

  private func mutate(_ header: inout [UInt8], using generator: inout SeededGenerator) {
    // Mostly behind the bytes in front, or few would get further.
    let start = header.count > 8 && Int.random(in: 0..<10, using: &generator) > 0 ? 8 : 0
    guard start < header.count else { return }
    let index = Int.random(in: start..<header.count, using: &generator)
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: header[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: header[index] = UInt8.random(in: 0...255, using: &generator)
    case 2: header.remove(at: index)
    case 3: header.insert(UInt8.random(in: 0...255, using: &generator), at: index)
    case 4: header.removeSubrange(index...)
    default: header.insert(contentsOf: header[index...].prefix(20), at: index)
    }
  }

  @Test func limitsArePrinted() {
    let text = Limits().description
    #expect(text.contains("4096 bytes, 64 fields, 65536 bytes to unpack"))
    #expect(text.contains("rank 8, dimensions 1...16777216"))
    #expect(!text.contains("Optional"))
  }
}
