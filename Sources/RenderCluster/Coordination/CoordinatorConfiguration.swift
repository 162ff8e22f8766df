import Files
import Journaling
import Messaging

/// What a coordinator is from its start on.
public struct CoordinatorConfiguration: Sendable {
  /// Where workers and clients connect.
  public var endpoints: [Endpoint]
  /// Where the last stage sends its output.
  public var outputs: Endpoint
  /// Nil: none, on this machine only.
  public var security: Security
  /// Raised at each start; with a journal, at least by one.
  public var epoch: UInt64
  /// Where jobs are remembered; nil where they end with the process.
  public var journal: JournalSettings?
  public var build: String
  public var numerics: Digest
  /// Whether jobs that no set of workers can do wait for more of them.
  public var waitsForWorkers: Bool
  public var planning: Planning
  /// What snapshots of jobs may take of the memory, in all.
  public var snapshotBytes = 1 << 30
  /// Jobs of one client that have not ended; of more none is accepted.
  public var jobsOfAClient = Limits().jobsOfAClient
  /// In the mean, of the workers of a pipeline; see ``CoordinatorIdentity/secondsBetweenFailures``.
  public var secondsBetweenFailures = CoordinatorIdentity.assumedSecondsBetweenFailures
  /// Told what people should know.
  public var note: @Sendable (String) -> Void
  /// Told of each step that a stage has computed.
  public var trace: (@Sendable (StageSpan) -> Void)?

  /// How jobs are remembered.
  public struct JournalSettings: Sendable {
    /// Takes hold of the folder; throws ``JournalError``.
    public var storage: @Sendable () throws(JournalError) -> any JournalStorage
    public var segmentBytes = Journal.segmentBytes
    /// Nothing is accepted or begun while one of these lies on a full disk.
    public var folders: [String]
    /// What is free of the disk of a folder.
    public var space: @Sendable (String) -> DiskSpace? = { DiskSpace(of: $0) }
    /// A folder for what the stages keep of jobs, so that these go on where they were; nil: they begin anew.
    public var snapshots: String?
    /// Jobs up to this number have left files behind.
    public var filesUpTo: UInt64 = 0
    /// Told that the journal cannot be written: the process must end at once, and do nothing more that others could see.
    public var failed: @Sendable (JournalError) -> Void

    public init(
      folders: [String], filesUpTo: UInt64 = 0,
      storage: @escaping @Sendable () throws(JournalError) -> any JournalStorage,
      failed: @escaping @Sendable (JournalError) -> Void
    ) {
      self.folders = folders
      self.filesUpTo = filesUpTo
      self.storage = storage
      self.failed = failed
    }
  }

  public enum Security: Sendable {
    case curve(KeyPair, AccessControl)
    case plaintext
    case insecurePlaintext
  }

  public init(
    endpoints: [Endpoint], outputs: Endpoint, security: Security, epoch: UInt64, build: String, numerics: Digest,
    waitsForWorkers: Bool = true, planning: @escaping Planning = ReplicaPlanner.planning,
    note: @escaping @Sendable (String) -> Void = { _ in }, trace: (@Sendable (StageSpan) -> Void)? = nil
  ) {
    self.endpoints = endpoints
    self.outputs = outputs
    self.security = security
    self.epoch = epoch
    self.build = build
    self.numerics = numerics
    self.waitsForWorkers = waitsForWorkers
    self.planning = planning
    self.note = note
    self.trace = trace
  }
}

extension CoordinatorConfiguration {
  var controlServer: ServerSecurity {
    switch security {
    case .curve(let keys, let access): .curve(keys, access)
    case .plaintext: .plaintext
    case .insecurePlaintext: .insecurePlaintext
    }
  }

  /// The same keys, for those on another list.
  func server(_ access: AccessControl) -> ServerSecurity {
    if case .curve(let keys, _) = security { .curve(keys, access) } else { controlServer }
  }

  /// To reach a worker of this key.
  func client(_ key: PublicKey?) -> ClientSecurity {
    switch security {
    case .curve(let keys, _): .curve(keys, server: key ?? keys.publicKey)
    case .plaintext: .plaintext
    case .insecurePlaintext: .insecurePlaintext
    }
  }
}

extension StagePlanner {
  /// The planner of a single pipeline as ``CoordinatorCore`` takes it.
  public static let planning: Planning = ReplicaPlanner.planning(most: 1)
}

extension ReplicaPlanner {
  /// The planner as ``CoordinatorCore`` takes it.
  public static let planning: Planning = planning(most: .max)

  /// - Parameter most: replicas.
  public static func planning(most: Int) -> Planning {
    { blocks, workers, samples, overheadBytes in
      Result { () throws(StagePlanFailure) in
        try plan(
          blocks: blocks, workers: workers, samples: samples, overheadBytes: overheadBytes, most: most)
      }
    }
  }
}

/// Why a job could not be done.
public struct JobError: Error, Sendable, Hashable, CustomStringConvertible {
  public let reason: Reason
  public let description: String

  public init(_ reason: Reason, _ description: String) {
    self.reason = reason
    self.description = description
  }
}
