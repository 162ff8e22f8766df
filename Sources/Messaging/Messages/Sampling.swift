/// Opens a sample on a stage. Its subject and caching travel as JSON in the payload, an encoded prompt in chunks behind it.
public struct SampleOpening: Sendable, Hashable {
  public var guidance: Float
  /// The grid of tokens.
  public var frames: UInt32
  public var rows: UInt32
  public var columns: UInt32
  public var seed: UInt64
  /// Denoising steps of the run.
  public var steps: UInt32
  /// Tokens of the encoded prompt; 0 for a class.
  public var textTokens: UInt32
  /// What stages hold of it since before the coordinator was started, to go on with; nil: it begins anew.
  public var held: Held?

  /// A sample as a stage holds it.
  public struct Held: Sendable, Hashable {
    /// Of its opening by another coordinator, above 0.
    public var attempt: UInt32
    /// The one that comes next.
    public var step: UInt32

    public init(attempt: UInt32, step: UInt32) {
      self.attempt = attempt
      self.step = step
    }
  }

  public init(
    guidance: Float, frames: UInt32 = 1, rows: UInt32, columns: UInt32, seed: UInt64, steps: UInt32, textTokens: UInt32,
    held: Held? = nil
  ) {
    self.held = held
    self.guidance = guidance
    self.frames = frames
    self.rows = rows
    self.columns = columns
    self.seed = seed
    self.steps = steps
    self.textTokens = textTokens
  }
}

extension SampleOpening: MessageFields {
  static let kind = MessageKind.openSample
  static let fields: FieldSet = [
    .guidance, .frames, .rows, .columns, .seed, .steps, .textTokens, .heldAttempt, .heldStep,
  ]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    guidance = try header.number(\.guidance, .guidance)
    frames = header[\.frames]
    rows = header[\.rows]
    columns = header[\.columns]
    for (value, field) in [(frames, HeaderField.frames), (rows, .rows), (columns, .columns)] {
      guard (1...UInt32(TensorPlan.maximumDimension)).contains(value) else {
        throw header.malformed(field, "is out of range")
      }
    }
    seed = header[\.seed]
    steps = header[\.steps]
    textTokens = header[\.text_tokens]
    let attempt = header[\.held_attempt]
    held = attempt == 0 ? nil : Held(attempt: attempt, step: header[\.held_step])
  }

  func write(to header: HeaderWriter) {
    header.message.guidance = guidance
    header.message.frames = frames
    header.message.rows = rows
    header.message.columns = columns
    header.message.seed = seed
    header.message.steps = steps
    header.message.text_tokens = textTokens
    header.message.held_attempt = held?.attempt ?? 0
    header.message.held_step = held?.step ?? 0
  }

  func payloadRule(_ limits: Limits) -> PayloadRule { .atMost(limits.settingsBytes) }
}

/// Begins a step of a sample at every stage. The labels of the clusters are in the payload; see ``LabelledStream``.
public struct StepOrder: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    case full
    /// So many steps after the last full one, 1 or more.
    case cached(distance: UInt32)
    /// No step yet: the first stage measures what the kind of the step hangs on, and goes on from there when that comes.
    case measure
  }

  public var kind: Kind
  /// The step's place in the run, from 0.
  public var index: UInt32
  /// 0...1000, falling.
  public var timestep: Float
  public var labels: [LabelledStream]

  public init(_ kind: Kind, index: UInt32, timestep: Float, labels: [LabelledStream] = []) {
    self.kind = kind
    self.index = index
    self.timestep = timestep
    self.labels = labels
  }
}

extension StepOrder: MessageFields {
  static let kind = MessageKind.stepBegin
  static let fields: FieldSet = [
    .stepKind, .distance, .progress, .timestep, .labelStreams, .labelCounts, .labelClusters,
  ]

  private enum WireKind: UInt32 {
    case full = 1
    case cached = 2
    case measure = 3
  }

  init(reading header: HeaderReader) throws(MalformedMessage) {
    let kind: WireKind = try header.value(\.step_kind.rawValue, .stepKind)
    let distance = header[\.distance]
    guard (kind == .cached) == (distance > 0) else {
      throw header.malformed(.distance, "does not fit the kind of step")
    }
    self.kind = kind == .measure ? .measure : kind == .full ? .full : .cached(distance: distance)
    guard let index = UInt32(exactly: header[\.progress]) else { throw header.malformed(.progress, "is out of range") }
    self.index = index
    timestep = try header.number(\.timestep, .timestep)
    labels = try header.labels()
  }

  func write(to header: HeaderWriter) {
    let (kind, distance): (WireKind, UInt32) =
      switch kind {
      case .full: (.full, 0)
      case .cached(let distance): (.cached, distance)
      case .measure: (.measure, 0)
      }
    header.message.step_kind.rawValue = kind.rawValue
    header.message.distance = distance
    header.message.progress = UInt64(index)
    header.message.timestep = timestep
    header.write(labels)
  }

  func payloadRule(_ limits: Limits) -> PayloadRule { .exactly(LabelledStream.byteCount(labels)) }
}

/// A stage has done a step. The labels it found, if any, are in the payload.
public struct StepReport: Sendable, Hashable {
  /// Time of computing.
  public var microseconds: UInt64
  /// When it began, by the worker's clock.
  public var clockMicroseconds: UInt64
  /// What the kinds of steps may hang on, 0 or more; nil if nothing was measured.
  public var signal: Float?
  public var labels: [LabelledStream]

  public init(
    microseconds: UInt64, clockMicroseconds: UInt64 = 0, signal: Float? = nil, labels: [LabelledStream] = []
  ) {
    self.microseconds = microseconds
    self.clockMicroseconds = clockMicroseconds
    self.signal = signal
    self.labels = labels
  }
}

extension StepReport: MessageFields {
  static let kind = MessageKind.stepDone
  static let fields: FieldSet = [
    .microseconds, .clockMicroseconds, .signal, .labelStreams, .labelCounts, .labelClusters,
  ]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    microseconds = header[\.microseconds]
    clockMicroseconds = header[\.clock_microseconds]
    let signal = try header.number(\.signal, .signal)
    self.signal = signal < 0 ? nil : signal
    labels = try header.labels()
  }

  func write(to header: HeaderWriter) {
    header.message.microseconds = microseconds
    header.message.clock_microseconds = clockMicroseconds
    header.message.signal = signal ?? -1
    header.write(labels)
  }

  func payloadRule(_ limits: Limits) -> PayloadRule { .exactly(LabelledStream.byteCount(labels)) }
}
