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

  /// The file, piece by piece.
  ///
  /// - Parameter request: of all that the numbers follow from.
  func pieces(request: SHA256.Digest) throws -> [Payload] {
    let header: JSONObject = [
      "version": 1, "request": .string(request.description), "step": .integer(Int(step)),
      "snapshot": try JSONValue(parsing: manifest.payload.bytes),
      "answers": .array(answers.map { AnswerHeader($0).json }),
    ]
    let text = Array(JSONValue.object(header).text().utf8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    var pieces = [Payload(Self.magic + length + text)]
    pieces += manifest.blocks.compactMap { tensors[UInt32($0.number)] }
    for answer in answers { pieces += answer.numbers }
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
    func take(_ count: Int) throws -> Payload { try Payload(taking: count, from: &rest) }
    var tensors: [UInt32: Payload] = [:]
    for block in header.manifest.blocks {
      guard let plan = block.plan else { throw WireError("its block \(block.number) has no size") }
      tensors[UInt32(block.number)] = try take(plan.byteCount)
    }
    var answers: [Coordinator.Answer] = []
    for answer in header.answers { answers.append(try answer.answer(take)) }
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
