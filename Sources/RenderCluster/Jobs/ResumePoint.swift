import FeatureCaching
import Files
import Messaging
import StrictJSON
import Tensors

/// A full step of a sample from which a coordinator that was started again can go on: what the stages kept, and what all
/// steps before gave, which its denoiser asks for anew.
struct ResumePoint: Sendable {
  let step: UInt32
  let manifest: SnapshotManifest
  /// By the numbers of blocks.
  let tensors: [UInt32: Payload]
  /// By order, of all before ``step``.
  let answers: [Coordinator.Answer]
}

/// As a file: eight letters, the length of a header in eight bytes (little-endian), the header as JSON, the numbers that it
/// describes, and the SHA-256 of all that.
extension ResumePoint {
  private static let magic = Array("CLSCSNAP".utf8)
  private static let digestBytes = 32

  fileprivate struct Header {
    let request: SHA256.Digest
    let step: UInt32
    let manifest: SnapshotManifest
    let answers: [AnswerHeader]
  }

  fileprivate struct AnswerHeader {
    /// Of the output; nil for a measurement.
    let shape: [Int]?
    let signal: Float?
    let labels: [LabelledStream]
  }

  /// The file, piece by piece.
  ///
  /// - Parameter request: of all that the numbers follow from.
  func pieces(request: SHA256.Digest) throws -> [Payload] {
    let labels = answers.map { WireClusters.pack($0.clusters) }
    let header: JSONObject = [
      "version": 1, "request": .string(request.description), "step": .integer(Int(step)),
      "snapshot": try JSONValue(parsing: manifest.payload.bytes),
      "answers": .array(
        zip(answers, labels).map { answer, labels in
          [
            "output": answer.output.map { .array($0.shape.map(JSONValue.integer)) } ?? .null,
            "signal": answer.signal.map { .integer(Int($0.bitPattern)) } ?? .null,
            "labels": .array(
              labels.labels.map {
                [.integer(Int($0.stream.rawValue)), .integer(Int($0.tokens)), .integer(Int($0.clusters))]
              }),
          ]
        }),
    ]
    let text = Array(JSONValue.object(header).text().utf8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    var pieces = [Payload(Self.magic + length + text)]
    pieces += manifest.blocks.compactMap { tensors[UInt32($0.number)] }
    for (answer, labels) in zip(answers, labels) {
      if let output = answer.output { pieces.append(output.payload()) }
      if labels.payload.count > 0 { pieces.append(labels.payload) }
    }
    var hash = SHA256()
    for piece in pieces { piece.withBytes { hash.update($0) } }
    return pieces + [Payload(hash.finalize().bytes)]
  }

  /// - Returns: nil if the file is of another request.
  /// - Throws: `WireError` if it is damaged.
  init?(_ bytes: UnsafeRawBufferPointer, request: SHA256.Digest) throws {
    let fixed = Self.magic.count + 8
    guard bytes.count >= fixed + Self.digestBytes, bytes.prefix(Self.magic.count).elementsEqual(Self.magic) else {
      throw WireError("it does not begin as a snapshot does")
    }
    let body = UnsafeRawBufferPointer(rebasing: bytes.dropLast(Self.digestBytes))
    guard SHA256.digest(of: body).bytes.elementsEqual(bytes.suffix(Self.digestBytes)) else {
      throw WireError("its digest is another")
    }
    let length = body.loadUnaligned(fromByteOffset: Self.magic.count, as: UInt64.self).littleEndian
    guard length <= UInt64(body.count - fixed) else { throw WireError("its header is cut off") }
    let header = try Header(JSONValue(parsing: Array(body[fixed..<fixed + Int(length)])))
    guard header.request == request else { return nil }
    var rest = UnsafeRawBufferPointer(rebasing: body[(fixed + Int(length))...])
    func take(_ count: Int) throws -> Payload {
      guard count <= rest.count else { throw WireError("its numbers are cut off") }
      defer { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count)) }
      return Payload(byteCount: count) { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(count))) }
    }
    var tensors: [UInt32: Payload] = [:]
    for block in header.manifest.blocks {
      guard let plan = block.plan else { throw WireError("its block \(block.number) has no size") }
      tensors[UInt32(block.number)] = try take(plan.byteCount)
    }
    var answers: [Coordinator.Answer] = []
    for answer in header.answers {
      let output: Tensor? = try answer.shape.map { shape in
        guard let plan = TensorPlan(.output, .float32, shape: shape) else { throw WireError("an output has no size") }
        let payload = try take(plan.byteCount)
        return payload.withBytes { Tensor($0.bindMemory(to: Float.self), shape: shape) }
      }
      let labels = try take(LabelledStream.byteCount(answer.labels))
      answers.append(
        .init(output: output, clusters: try WireClusters.unpack(answer.labels, labels), signal: answer.signal))
    }
    guard rest.isEmpty, answers.count == Int(header.step) else { throw WireError("it has other numbers than it says") }
    (step, manifest, self.tensors, self.answers) = (header.step, header.manifest, tensors, answers)
  }
}

extension ResumePoint.Header {
  fileprivate init(_ json: JSONValue) throws {
    guard json["version"]?.int == 1, let request = json["request"]?.string.flatMap({ SHA256.Digest($0) }),
      let step = json["step"]?.int.flatMap(UInt32.init(exactly:)), let snapshot = json["snapshot"],
      let answers = json["answers"]?.array
    else { throw WireError("its header lacks something") }
    (self.request, self.step) = (request, step)
    manifest = try SnapshotManifest(Payload(snapshot.text()))
    self.answers = try answers.map { try .init($0) }
  }
}

extension ResumePoint.AnswerHeader {
  fileprivate init(_ json: JSONValue) throws {
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
}
