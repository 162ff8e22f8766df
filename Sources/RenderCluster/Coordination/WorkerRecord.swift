import Messaging

/// A worker as the coordinator knows it.
struct WorkerRecord: Sendable, Equatable {
  /// How long after its last answer it counts as alive, in milliseconds.
  static let leaseMilliseconds: Int64 = 6_000
  /// How long after the end of its connection: time to connect anew, or to answer the next heartbeat if it was another's
  /// connection that ended.
  static let disconnectedMilliseconds: Int64 = 2_000

  var peer: Peer
  var hello: Hello
  /// Raised when both sides begin anew; see `welcome`.
  var session: UInt32
  var outbox: Outbox
  var inbox: OrderedInbox
  /// When it last answered: what it sends by itself tells nothing about whether it hears.
  private(set) var heard: Int64
  /// When its connection ended, as it seems, if it has not been heard since.
  private var disconnected: Int64?
  /// When that was said last: what was sent before it does not show that the worker is reached.
  private var lastDisconnected = Int64.min
  var isDraining = false
  /// It has been told that nothing depends on it any more.
  var isReleased = false
  var residentBytes: UInt64 = 0
  var cacheBytes: UInt64 = 0
  /// Raised by its thread that computes.
  private(set) var progress: UInt64 = 0
  /// When it was last seen to rise.
  private(set) var progressed: Int64
  /// Whether the thread has something to compute.
  private(set) var isComputing = false
  /// The newest of the coordinator's heartbeats that it has answered.
  private var answered: UInt64 = 0
  /// Models whose blocks it could not load, until when they are not tried again, and how often they were.
  private(set) var failedLoads: [FailedLoad] = []
  /// What it holds since before this coordinator was started; nil when it has got something else to do.
  private(set) var held: HeldRecord?
  private var holdsNothing = false
  var clock = ClockOffset()
  var speed: MeasuredSpeed
  /// Prompts and pictures that it has encoded and decoded.
  var tasksDone = 0
  /// Of its link, as it says or as measured; 1 Gbit/s until then.
  var bytesPerSecond = assumedBytesPerSecond
  static let assumedBytesPerSecond = 110e6

  var name: String { peer.name }

  init(peer: Peer, hello: Hello, session: UInt32, now: Int64) {
    self.peer = peer
    self.hello = hello
    self.session = session
    outbox = Outbox(session: session)
    inbox = OrderedInbox(session: session)
    heard = now
    progressed = now
    speed = MeasuredSpeed(initial: Double(hello.operationsPerSecond))
    if hello.bytesPerSecond > 0 { bytesPerSecond = Double(hello.bytesPerSecond) }
  }

  /// Time passed in which nothing could be heard of it.
  mutating func forgive(_ milliseconds: Int64) {
    heard += milliseconds
    disconnected = disconnected.map { $0 + milliseconds }
    progressed += milliseconds
  }

  mutating func hold(_ record: HeldRecord) { if !holdsNothing { held = record } }

  /// It is told to let go of it.
  mutating func forgetHeld() { (held, holdsNothing) = (nil, true) }

  struct FailedLoad: Sendable, Equatable {
    let model: Digest
    /// In milliseconds.
    var until: Int64
    var count: Int
  }

  private static let retryMilliseconds: Int64 = 60_000

  /// - Returns: how many loads have failed.
  mutating func failed(toLoad model: Digest, now: Int64) -> Int {
    let index = failedLoads.firstIndex { $0.model == model } ?? failedLoads.endIndex
    if index == failedLoads.endIndex { failedLoads.append(FailedLoad(model: model, until: 0, count: 0)) }
    failedLoads[index].until = now + Self.retryMilliseconds
    failedLoads[index].count += 1
    return failedLoads[index].count
  }

  /// Whether it can be given blocks of a model.
  func holds(_ model: Digest, now: Int64) -> Bool {
    hello.models.contains(model) && !failedLoads.contains { $0.model == model && $0.until > now }
  }

  /// The same process on a new connection, on which it can be reached.
  mutating func connected(now: Int64) { (heard, disconnected) = (now, nil) }

  mutating func disconnected(now: Int64) { (disconnected, lastDisconnected) = (disconnected ?? now, now) }

  /// Why it does not count as alive, as the end of a sentence; nil if it does.
  func silence(now: Int64) -> String? {
    if now - heard > Self.leaseMilliseconds { return "it has been silent for \(Self.leaseMilliseconds / 1000) seconds" }
    guard let disconnected, now - disconnected > Self.disconnectedMilliseconds else { return nil }
    return "its connection has ended, and it has not come back within \(Self.disconnectedMilliseconds / 1000) seconds"
  }

  /// - Parameter now: in microseconds.
  mutating func take(_ heartbeat: Heartbeat, now: Int64) {
    // One that was late says what was, and does not show that the worker is reached now.
    guard heartbeat.heard > answered, let sent = clock.time(of: heartbeat.heard) else { return }
    answered = heartbeat.heard
    if now - sent <= Self.leaseMilliseconds * 1000 { heard = now / 1000 }
    // What was said before the end of its connection may be looked at behind it.
    if disconnected != nil, sent > lastDisconnected * 1000 { disconnected = nil }
    residentBytes = heartbeat.residentBytes
    cacheBytes = heartbeat.cacheBytes
    if heartbeat.progress != progress || !isComputing { progressed = now / 1000 }
    progress = heartbeat.progress
    isComputing = heartbeat.block > 0
    clock.heard(heartbeat.heard, clock: heartbeat.clockMicroseconds, now: now)
  }
}

/// How far a worker's clock is from the coordinator's, by the exchange of heartbeats that took the least time.
struct ClockOffset: Sendable, Equatable {
  private var sent: [(number: UInt64, time: Int64)] = []
  private var shortest = Int64.max
  /// Worker's minus coordinator's, in microseconds; nil before the first exchange.
  private(set) var microseconds: Int64?

  static func == (left: ClockOffset, right: ClockOffset) -> Bool { left.microseconds == right.microseconds }

  /// A heartbeat goes out at `now`, microseconds.
  mutating func sent(_ number: UInt64, now: Int64) {
    sent.append((number, now))
    if sent.count > 8 { sent.removeFirst() }
  }

  /// When a heartbeat went out, if it is not long ago.
  func time(of number: UInt64) -> Int64? { sent.first { $0.number == number }?.time }

  /// The answer to heartbeat `number` says what the worker's clock was.
  mutating func heard(_ number: UInt64, clock: UInt64, now: Int64) {
    guard let index = sent.firstIndex(where: { $0.number == number }) else { return }
    let trip = now - sent[index].time
    guard trip <= shortest else { return }
    shortest = trip
    microseconds = Int64(clamping: clock) - (sent[index].time + trip / 2)
  }
}

/// Floating-point operations a second: a worker's own word at first, then what its full steps took.
struct MeasuredSpeed: Sendable, Equatable {
  private(set) var operationsPerSecond: Double
  private var steps = 0

  init(initial: Double) { operationsPerSecond = max(1, initial) }

  /// A full step has been computed. Later ones count for a fifth: machines are noisy, and warm up.
  mutating func add(operations: Int, microseconds: UInt64) {
    guard microseconds > 0, operations > 0 else { return }
    let measured = Double(operations) / (Double(microseconds) / 1e6)
    steps += 1
    operationsPerSecond += (measured - operationsPerSecond) * (steps == 1 ? 1 : 0.2)
  }
}
