/// How a peer presents itself, first thing on every connection.
public struct Hello: Sendable, Hashable {
  /// The protocol version that this source speaks, byte 4 of every header.
  public static let protocolVersion: UInt32 = 2
  /// The most models a hello may name.
  public static let maximumModels = 32

  public var protocolVersion: UInt32
  /// The program's version and commit.
  public var build: String
  public var role: Role
  /// Must be the name under which the key stands on the list.
  public var name: String
  /// Grows with each start of a process under this key.
  public var incarnation: UInt64
  /// The class of numerics: workers of one class compute the same bits. Nil for those who do not compute.
  public var numerics: Digest?
  public var threads: UInt32
  /// What it may use, in bytes.
  public var memoryBytes: UInt64
  /// The models it holds.
  public var models: [Digest]
  /// Where it takes chunks of tensors; empty if nowhere.
  public var address: String
  /// Floating-point operations a second with all of its threads, as measured.
  public var operationsPerSecond: UInt64
  /// What it may be asked for; of a worker alone.
  public var roles: WorkerRoles
  /// Of its link, where its owner says so; 0 where it is to be measured.
  public var bytesPerSecond: UInt64

  public init(
    build: String, role: Role, name: String, incarnation: UInt64, numerics: Digest? = nil, threads: UInt32 = 0,
    memoryBytes: UInt64 = 0, models: [Digest] = [], address: String = "", operationsPerSecond: UInt64 = 0,
    roles: WorkerRoles = .stages, bytesPerSecond: UInt64 = 0
  ) {
    protocolVersion = Self.protocolVersion
    self.build = build
    self.role = role
    self.name = name
    self.incarnation = incarnation
    self.numerics = numerics
    self.threads = threads
    self.memoryBytes = memoryBytes
    self.models = models
    self.address = address
    self.operationsPerSecond = operationsPerSecond
    self.roles = roles
    self.bytesPerSecond = bytesPerSecond
  }
}

extension Hello: MessageFields {
  static let kind = MessageKind.hello
  static let fields: FieldSet = [
    .protocol, .build, .role, .name, .incarnation, .numerics, .threads, .memoryBytes, .models, .address,
    .operationsPerSecond, .roles, .bytesPerSecond,
  ]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    protocolVersion = header[\.protocol]
    build = try header.text(\.build, .build, maximumBytes: MessageText.buildBytes)
    role = try header.value(\.role.rawValue, .role)
    name = try header.text(\.name, .name, maximumBytes: MessageText.nameBytes)
    guard MessageText.isName(name) else { throw header.malformed(.name, "is no name") }
    incarnation = header[\.incarnation]
    numerics = try header.digestIfAny(\.numerics, .numerics)
    threads = header[\.threads]
    memoryBytes = header[\.memory_bytes]
    models = try header.digests(\.models, count: header[\.n_models], .models, maximum: Self.maximumModels)
    address = try header.text(\.address, .address, maximumBytes: MessageText.addressBytes)
    operationsPerSecond = header[\.operations_per_second]
    roles = WorkerRoles(rawValue: header[\.roles])
    guard WorkerRoles.all.isSuperset(of: roles) else { throw header.malformed(.roles, "is unknown: \(roles.rawValue)") }
    bytesPerSecond = header[\.bytes_per_second]
  }

  func write(to header: HeaderWriter) {
    header.message.protocol = protocolVersion
    header.message.build = header.text(build, maximumBytes: MessageText.buildBytes)
    header.message.role.rawValue = role.rawValue
    header.message.name = header.text(name, maximumBytes: MessageText.nameBytes)
    header.message.incarnation = incarnation
    header.message.numerics = header.bytes(numerics?.bytes ?? [])
    header.message.threads = threads
    header.message.memory_bytes = memoryBytes
    (header.message.models, header.message.n_models) = header.list(models.prefix(Self.maximumModels).map(\.bytes))
    header.message.address = header.text(address, maximumBytes: MessageText.addressBytes)
    header.message.operations_per_second = operationsPerSecond
    header.message.roles = roles.rawValue
    header.message.bytes_per_second = bytesPerSecond
  }
}

/// The coordinator's answer to a peer that it admits.
public struct Welcome: Sendable, Hashable {
  public var protocolVersion: UInt32
  public var build: String
  /// How long the peer counts as alive after its last message, in milliseconds.
  public var leaseMilliseconds: UInt32

  public init(build: String, leaseMilliseconds: UInt32) {
    protocolVersion = Hello.protocolVersion
    self.build = build
    self.leaseMilliseconds = leaseMilliseconds
  }
}

extension Welcome: MessageFields {
  static let kind = MessageKind.welcome
  static let fields: FieldSet = [.protocol, .build, .leaseMilliseconds]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    protocolVersion = header[\.protocol]
    build = try header.text(\.build, .build, maximumBytes: MessageText.buildBytes)
    leaseMilliseconds = header[\.lease_milliseconds]
  }

  func write(to header: HeaderWriter) {
    header.message.protocol = protocolVersion
    header.message.build = header.text(build, maximumBytes: MessageText.buildBytes)
    header.message.lease_milliseconds = leaseMilliseconds
  }
}

/// What a peer is told that asked for what it does not get.
public struct Refusal: Sendable, Hashable {
  public var reason: Reason
  /// One sentence for people.
  public var text: String
  /// The byte of the header at which a malformed message goes wrong.
  public var offset: UInt64
  /// The sequence of the message that is refused; 0 if it had none or could not be read.
  public var acknowledged: UInt64

  public init(_ reason: Reason, _ text: String = "", offset: UInt64 = 0, acknowledged: UInt64 = 0) {
    self.reason = reason
    self.text = text
    self.offset = offset
    self.acknowledged = acknowledged
  }
}

extension Refusal: MessageFields {
  static let kind = MessageKind.refused
  static let fields: FieldSet = [.reason, .text, .offset, .acknowledged]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    reason = try header.value(\.reason.rawValue, .reason)
    text = try header.text(\.text, .text, maximumBytes: MessageText.explanationBytes)
    offset = header[\.offset]
    acknowledged = header[\.acknowledged]
  }

  func write(to header: HeaderWriter) {
    header.message.reason.rawValue = reason.rawValue
    header.message.text = header.text(text, maximumBytes: MessageText.explanationBytes)
    header.message.offset = offset
    header.message.acknowledged = acknowledged
  }
}
