/// What a worker can do.
public struct WorkerRoles: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Blocks of transformers.
  public static let stages = WorkerRoles(rawValue: 1)
  /// Prompts, into what transformers take.
  public static let encode = WorkerRoles(rawValue: 2)
  /// Latents, into pixels.
  public static let decode = WorkerRoles(rawValue: 4)

  public static let all: WorkerRoles = [.stages, .encode, .decode]

  private static let words: [(String, WorkerRoles)] = [("stages", .stages), ("encode", .encode), ("decode", .decode)]

  /// The roles of words with commas between them; nil for an unknown word and for none at all.
  public init?(words text: String) {
    self = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let role = Self.words.first(where: { $0.0 == word })?.1 else { return nil }
      insert(role)
    }
  }

  public var words: String {
    Self.words.filter { contains($0.1) }.map(\.0).joined(separator: ",")
  }
}

/// Asks a worker for something outside of the transformer's blocks: to encode a prompt, which stands as JSON in the payload,
/// or to decode latents, which follow in chunks. The result comes in chunks, to the coordinator's address for outputs.
public struct TaskOrder: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// So many tokens of text.
    case encode(textTokens: UInt32)
    /// Of a grid of tokens.
    case decode(frames: UInt32, rows: UInt32, columns: UInt32)
  }

  public var kind: Kind
  public var model: Digest
  public var precision: WirePrecision
  /// Where the result goes.
  public var destination: Assignment.Neighbour

  public init(_ kind: Kind, model: Digest, precision: WirePrecision, destination: Assignment.Neighbour) {
    self.kind = kind
    self.model = model
    self.precision = precision
    self.destination = destination
  }
}

extension TaskOrder: MessageFields {
  static let kind = MessageKind.task
  static let fields: FieldSet = [
    .phase, .model, .precision, .nextAddress, .nextKey, .textTokens, .frames, .rows, .columns,
  ]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    let phase: JobEvent.Phase = try header.value(\.phase.rawValue, .phase)
    switch phase {
    case .conditioning: kind = .encode(textTokens: header[\.text_tokens])
    case .decoding:
      kind = .decode(frames: header[\.frames], rows: header[\.rows], columns: header[\.columns])
      for (value, field) in [
        (header[\.frames], HeaderField.frames), (header[\.rows], .rows), (header[\.columns], .columns),
      ] {
        guard (1...UInt32(TensorPlan.maximumDimension)).contains(value) else {
          throw header.malformed(field, "is out of range")
        }
      }
    default: throw header.malformed(.phase, "is none that a worker can be asked for")
    }
    guard let digest = try header.digestIfAny(\.model, .model) else { throw header.malformed(.model, "is missing") }
    model = digest
    precision = try header.value(\.precision.rawValue, .precision)
    destination = try .init(destinationOf: header)
  }

  func write(to header: HeaderWriter) {
    switch kind {
    case .encode(let textTokens):
      header.message.phase.rawValue = JobEvent.Phase.conditioning.rawValue
      header.message.text_tokens = textTokens
    case .decode(let frames, let rows, let columns):
      header.message.phase.rawValue = JobEvent.Phase.decoding.rawValue
      header.message.frames = frames
      header.message.rows = rows
      header.message.columns = columns
    }
    header.message.model = header.bytes(model.bytes)
    header.message.precision.rawValue = precision.rawValue
    destination.write(to: header)
  }

  func payloadRule(_ limits: Limits) -> PayloadRule { .atMost(limits.requestBytes) }
}

/// A worker has done what it was asked for, and its result is on its way. What belongs to it beside tensors stands as JSON in
/// the payload.
public struct TaskReport: Sendable, Hashable {
  /// Time of computing.
  public var microseconds: UInt64

  public init(microseconds: UInt64) { self.microseconds = microseconds }
}

extension TaskReport: MessageFields {
  static let kind = MessageKind.taskDone
  static let fields: FieldSet = [.microseconds]

  init(reading header: HeaderReader) throws(MalformedMessage) { microseconds = header[\.microseconds] }

  func write(to header: HeaderWriter) { header.message.microseconds = microseconds }

  func payloadRule(_ limits: Limits) -> PayloadRule { .atMost(limits.settingsBytes) }
}
