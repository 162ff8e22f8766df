import Messaging

/// A job that was accepted: what is known of it for ever, or until somebody has it forgotten.
public struct LedgerJob: Sendable, Equatable {
  /// A worker that was lost while it worked for the job.
  public struct Trouble: Sendable, Equatable {
    /// Microseconds since 1970.
    public var date: UInt64
    public var worker: String
    /// The step that the job was at, from 1.
    public var step: Int
    public var text: String
  }

  /// A file that was made, in the coordinator's folder for outputs.
  public struct Output: Sendable, Hashable {
    public var name: String
    public var bytes: Int
    /// SHA-256.
    public var digest: Digest

    public init(name: String, bytes: Int, digest: Digest) {
      self.name = name
      self.bytes = bytes
      self.digest = digest
    }
  }

  public struct Ending: Sendable, Equatable {
    public var ending: JobEnding
    /// Microseconds since 1970.
    public var date: UInt64
    /// Of a job that is done; the report on it is the last.
    public var outputs: [Output]
  }

  /// More are not remembered one by one.
  static let rememberedTroubles = 12
  public static let priorities = -100...100

  public let id: UInt64
  public let client: String
  /// By which the client's request is known if it comes again.
  public let key: [UInt8]
  /// The request, as JSON.
  public let request: String
  public let model: String
  public let steps: Int
  /// Microseconds since 1970.
  public let accepted: UInt64
  /// Those with a higher one come first.
  public internal(set) var priority = 0
  public internal(set) var isPaused = false
  /// How often it was let into the stages.
  public internal(set) var attempts = 0
  /// Workers that were lost, maybe by its doing, since it last got further than ever.
  public internal(set) var losses = 0
  /// Orders of its steps that have been done: the furthest ever.
  public internal(set) var mark = 0
  /// The latest.
  public internal(set) var troubles: [Trouble] = []
  public internal(set) var requeues = 0
  /// Nil while it waits or runs.
  public internal(set) var ending: Ending?

  public init(
    id: UInt64, client: String, key: [UInt8], request: String, model: String, steps: Int, accepted: UInt64,
    priority: Int = 0
  ) {
    self.id = id
    self.client = client
    self.key = key
    self.request = request
    self.model = model
    self.steps = steps
    self.accepted = accepted
    self.priority = priority
  }

  /// Workers that others are preferred to: those that were lost with it since it last got further.
  var blamed: [String] { troubles.suffix(losses).map(\.worker) }
}
