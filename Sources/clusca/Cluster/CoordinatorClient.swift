import Messaging
import RenderCluster

/// A client's connection to a coordinator: says hello, asks again what was lost, and goes on over broken connections.
actor CoordinatorClient {
  /// What the coordinator tells without being asked.
  enum Push: Sendable {
    case message(Message, Payload)
    /// A connection was lost and there is another: who waits for something asks for it again.
    case reconnected
  }

  private struct Question {
    let message: Message
    let payload: Payload
    var sent: Int64
    let deadline: Int64
    let answer: CheckedContinuation<(Message, Payload), any Error>
  }

  private static let tickMilliseconds = 250
  private static let patienceMilliseconds: Int64 = 2_000
  private static let connectingMilliseconds: Int64 = 5_000
  private static let answeringMilliseconds: Int64 = 30_000

  /// What comes unasked.
  nonisolated let pushes: AsyncStream<Push>
  private let push: AsyncStream<Push>.Continuation
  private let endpoint: Endpoint
  private let hello: Hello
  private var client: MessageClient?
  private var isWelcome = false
  private var welcomes = 0
  /// Whether the last handshake was.
  private var isBrokenOff = false
  private var lastHello = MonotonicClock.milliseconds
  private var waitingForWelcome: CheckedContinuation<Void, any Error>?
  private let connectingDeadline = MonotonicClock.milliseconds + connectingMilliseconds
  private var questions: [Question] = []
  private var lastSequence: UInt64 = 0

  private init(_ endpoint: Endpoint, _ hello: Hello) {
    self.endpoint = endpoint
    self.hello = hello
    (pushes, push) = AsyncStream.makeStream(of: Push.self)
  }

  /// Connects.
  ///
  /// - Throws: ``CommandFailure`` if there is no coordinator, or it does not let this one in.
  static func connect(_ options: ConnectionOptions) async throws -> CoordinatorClient {
    let (name, security) = try options.identity()
    let endpoint = try options.endpoint()
    let hello = Hello(
      build: Version.current, role: .client, name: name ?? "client", incarnation: UInt64.random(in: 0...UInt64.max))
    let connection = CoordinatorClient(endpoint, hello)
    try await connection.open(security)
    return connection
  }

  private func open(_ security: ClusterSecurity) async throws {
    let (events, post) = AsyncStream.makeStream(of: ClientEvent.self)
    client = try await MessageClient.start(
      ClientConfiguration(
        endpoint: endpoint, security: security.towardsCoordinator, tickMilliseconds: Self.tickMilliseconds)
    ) { event, _ in post.yield(event) }
    Task { for await event in events { take(event) } }
    do {
      try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { waitingForWelcome = $0 }
      } onCancel: {
        Task { await fail(CancellationError()) }
      }
    } catch {
      await close()
      throw error
    }
  }

  func close() async {
    push.finish()
    await client?.stop()
  }

  /// Sends a message and waits for its answer.
  ///
  /// - Throws: ``CommandFailure`` with what the coordinator says if it refuses, or if it does not answer.
  func ask(_ body: MessageBody, _ payload: Payload = .empty, job: UInt64 = 0) async throws -> (Message, Payload) {
    lastSequence += 1
    let message = Message(body, fence: Fence(job: job, sequence: lastSequence))
    let now = MonotonicClock.milliseconds
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        questions.append(
          Question(
            message: message, payload: payload, sent: now, deadline: now + Self.answeringMilliseconds,
            answer: continuation))
        send(message, payload)
      }
    } onCancel: {
      Task { await fail(CancellationError()) }
    }
  }

  /// Sends a message that needs no answer.
  func send(_ message: Message, _ payload: Payload = .empty) {
    client?.post { $0.send(message, payload) }
  }

  // MARK: - Events

  private func take(_ event: ClientEvent) {
    switch event {
    case .ready:
      isBrokenOff = false
      sayHello()
    case .disconnected: isWelcome = false
    // One that is started anew may have been killed in the middle of it.
    case .brokenOff: isBrokenOff = true
    case .refused:
      fail(CommandFailure(.refused, "The coordinator at \(endpoint) does not let this key in."))
    case .failed(let reason): fail(CommandFailure(.unavailable, "The connection to \(endpoint) failed: \(reason)."))
    case .message(let message, let payload): take(message, payload)
    case .tick(let now): tick(now)
    case .insecure:
      StandardError.write("clusca: Messages are not protected: anybody on the network may read and forge them.")
    case .malformed: break
    }
  }

  private func sayHello() {
    lastHello = MonotonicClock.milliseconds
    send(Message(.hello(hello)))
  }

  private func take(_ message: Message, _ payload: Payload) {
    switch message.body {
    case .welcome: welcome()
    case .accepted(let acceptance): answer(acceptance.acknowledged, message, payload)
    case .received(let receipt): answer(receipt.acknowledged, message, payload)
    case .status, .jobs: answer(message.fence.sequence, message, payload)
    case .refused(let refusal): take(refusal)
    default: push.yield(.message(message, payload))
    }
  }

  private func welcome() {
    guard !isWelcome else { return }
    isWelcome = true
    welcomes += 1
    let waiting = waitingForWelcome
    waitingForWelcome = nil
    waiting?.resume()
    if welcomes > 1 { push.yield(.reconnected) }
  }

  private func answer(_ sequence: UInt64, _ message: Message, _ payload: Payload) {
    guard let index = questions.firstIndex(where: { $0.message.fence.sequence == sequence }) else { return }
    questions.remove(at: index).answer.resume(returning: (message, payload))
  }

  private func take(_ refusal: Refusal) {
    if refusal.reason == .unexpected { return sayHello() }
    let error = JobError(refusal.reason, refusal.text)
    guard refusal.acknowledged > 0,
      let index = questions.firstIndex(where: { $0.message.fence.sequence == refusal.acknowledged })
    else { return fail(error) }
    questions.remove(at: index).answer.resume(throwing: error)
  }

  private func tick(_ now: Int64) {
    if !isWelcome, now - lastHello >= Self.patienceMilliseconds { sayHello() }
    if waitingForWelcome != nil, now >= connectingDeadline {
      fail(
        isBrokenOff
          ? CommandFailure(
            .refused, "The coordinator at \(endpoint) breaks off every handshake: it has another key, or none is given."
          )
          : CommandFailure(
            .unavailable,
            "There is no coordinator at \(endpoint); start one with clusca coordinator, or see --coordinator."))
    }
    if isWelcome { send(Message(.heartbeat(Heartbeat()))) }
    for index in questions.indices.reversed() {
      if now >= questions[index].deadline {
        questions.remove(at: index).answer.resume(
          throwing: CommandFailure(.unavailable, "The coordinator at \(endpoint) does not answer."))
      } else if now - questions[index].sent >= Self.patienceMilliseconds {
        questions[index].sent = now
        send(questions[index].message, questions[index].payload)
      }
    }
  }

  private func fail(_ error: any Error) {
    let (waiting, asked) = (waitingForWelcome, questions)
    (waitingForWelcome, questions) = (nil, [])
    waiting?.resume(throwing: error)
    for question in asked { question.answer.resume(throwing: error) }
  }
}
