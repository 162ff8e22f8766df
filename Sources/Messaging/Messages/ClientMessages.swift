/// Asks for a job; the request itself is JSON in the payload.
public struct Submission: Sendable, Hashable {
  public static let keyBytes = 16

  /// 16 random bytes that the client chose: sent again, the same request is the same job.
  public var key: [UInt8]

  public init(key: [UInt8]) {
    precondition(key.count == Self.keyBytes, "a request's key has 16 bytes")
    self.key = key
  }
}

extension Submission: MessageFields {
  static let kind = MessageKind.submit
  static let fields: FieldSet = [.request]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    key = header.bytes(\.request)
    guard key.count == Self.keyBytes else { throw header.malformed(.request, "has not 16 bytes") }
  }

  func write(to header: HeaderWriter) { header.message.request = header.bytes(key) }

  func payloadRule(_ limits: Limits) -> PayloadRule { .between(1, limits.requestBytes) }
}

/// The job is journaled and will end; its number is in the fence.
public struct Acceptance: Sendable, Hashable {
  /// The sequence of the submission.
  public var acknowledged: UInt64

  public init(acknowledged: UInt64) { self.acknowledged = acknowledged }
}

extension Acceptance: MessageFields {
  static let kind = MessageKind.accepted
  static let fields: FieldSet = [.acknowledged]

  init(reading header: HeaderReader) throws(MalformedMessage) { acknowledged = header[\.acknowledged] }

  func write(to header: HeaderWriter) { header.message.acknowledged = acknowledged }
}

/// How far a job is. A preview of the picture may be in the payload.
public struct JobEvent: Sendable, Hashable {
  public enum Phase: UInt32, Sendable, Hashable, CaseIterable {
    case queued = 1
    case conditioning = 2
    case denoising = 3
    case decoding = 4
    case recovering = 5
  }

  public var phase: Phase
  /// Of `total` parts of the phase, such as steps, so many are done.
  public var progress: UInt64
  public var total: UInt32

  public init(_ phase: Phase, progress: UInt64 = 0, total: UInt32 = 0) {
    self.phase = phase
    self.progress = progress
    self.total = total
  }
}

extension JobEvent: MessageFields {
  static let kind = MessageKind.event
  static let fields: FieldSet = [.phase, .progress, .total]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    phase = try header.value(\.phase.rawValue, .phase)
    progress = header[\.progress]
    total = header[\.total]
  }

  func write(to header: HeaderWriter) {
    header.message.phase.rawValue = phase.rawValue
    header.message.progress = progress
    header.message.total = total
  }

  func payloadRule(_ limits: Limits) -> PayloadRule { .atMost(limits.reportBytes) }
}

/// How a job has ended; what it made is named in the payload, as JSON.
public struct JobEnding: Sendable, Hashable {
  public enum Outcome: UInt32, Sendable, Hashable, CaseIterable {
    case done = 1
    case failed = 2
    case cancelled = 3
  }

  public var outcome: Outcome
  /// Why it failed; nil otherwise.
  public var reason: Reason?
  /// One sentence for people.
  public var text: String

  public init(_ outcome: Outcome, reason: Reason? = nil, text: String = "") {
    self.outcome = outcome
    self.reason = reason
    self.text = text
  }
}

extension JobEnding: MessageFields {
  static let kind = MessageKind.done
  static let fields: FieldSet = [.outcome, .reason, .text]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    outcome = try header.value(\.outcome.rawValue, .outcome)
    reason = header[\.reason.rawValue] == 0 ? nil : try header.value(\.reason.rawValue, .reason) as Reason
    guard (reason != nil) == (outcome == .failed) else { throw header.malformed(.reason, "does not fit the outcome") }
    text = try header.text(\.text, .text, maximumBytes: MessageText.explanationBytes)
  }

  func write(to header: HeaderWriter) {
    header.message.outcome.rawValue = outcome.rawValue
    header.message.reason.rawValue = reason?.rawValue ?? 0
    header.message.text = header.text(text, maximumBytes: MessageText.explanationBytes)
  }

  func payloadRule(_ limits: Limits) -> PayloadRule { .atMost(limits.reportBytes) }
}
