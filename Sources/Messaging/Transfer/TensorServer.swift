import Synchronization

/// The receiving end of lines for tensors: a process has one, for all that send to it. It takes the tensors that it was told
/// to expect.
public final class TensorServer: Sendable {
  /// What the server tells, on the thread of its socket.
  public enum Event: Sendable {
    case arrived(TensorInbox.Arrival)
    /// A tensor cannot be had: it differs from its plan, or arrived damaged twice.
    case lost(Fence, String)
    /// The socket failed; nothing arrives any more.
    case failed(String)
    /// A stranger would get in; nothing arrives any more.
    case opened(SecurityError)
    /// Something that people should know, as a sentence.
    case note(String)
  }

  fileprivate final class State: Sendable {
    let inbox: Mutex<TensorInbox>
    /// What lies below it is of the past.
    let floor = Mutex(Fence())
    let report: @Sendable (Event) -> Void

    init(limits: Limits, report: @escaping @Sendable (Event) -> Void) {
      inbox = Mutex(TensorInbox(limits: limits))
      self.report = report
    }
  }

  private let server: MessageServer
  private let state: State

  private init(_ server: MessageServer, _ state: State) {
    self.server = server
    self.state = state
  }

  /// Begins to listen; see ``MessageServer/start(_:handler:)`` for what is thrown.
  public static func start(
    at endpoint: Endpoint, security: ServerSecurity, limits: Limits = Limits(),
    report: @escaping @Sendable (Event) -> Void
  ) async throws -> TensorServer {
    let state = State(limits: limits, report: report)
    let configuration = ServerConfiguration(
      endpoints: [endpoint], security: security, settings: .tensors, limits: limits)
    let server = try await MessageServer.start(configuration) { event, port in state.take(event, port) }
    return TensorServer(server, state)
  }

  /// Where it listens.
  public var endpoint: Endpoint { server.endpoints[0] }

  /// Begins to take the chunks of a tensor.
  public func expect(_ expectation: TensorInbox.Expectation) throws(TensorInbox.Failure) {
    try state.inbox.withLock { inbox throws(TensorInbox.Failure) in try inbox.expect(expectation) }
  }

  /// Does not expect tensors any more for which `isOver` says so.
  ///
  /// - Parameter stream: only of this one, unless nil.
  public func cancel(_ stream: WireStream? = nil, where isOver: @Sendable (Fence) -> Bool) {
    state.inbox.withLock { inbox in
      inbox.cancel { (stream == nil || $0.plan.stream == stream) && isOver($0.fence) }
    }
  }

  /// Tells senders of tensors of an earlier epoch or attempt that they are late.
  public func raiseFloor(epoch: UInt64, attempt: UInt32) {
    state.floor.withLock { floor in
      if (floor.epoch, floor.attempt) < (epoch, attempt) { floor = Fence(epoch: epoch, attempt: attempt) }
    }
  }

  public func stop() async { await server.stop() }
}

extension TensorServer.State {
  fileprivate func take(_ event: ServerEvent, _ port: ServerPort) {
    switch event {
    case .message(let message, let payload, let peer):
      guard case .chunk(let chunk) = message.body else { return }
      take(chunk, payload, message.fence, peer, port)
    case .failed(let reason): report(.failed(reason))
    case .opened(let error): report(.opened(error))
    case .quarantined(let name): report(.note("\(name) is not heard for some time: it sends what makes no sense."))
    case .authenticatorStalled: report(.note("Handshakes are not answered; no tensors come from anybody new."))
    default: break
    }
  }

  private func take(_ chunk: TensorChunk, _ payload: Payload, _ fence: Fence, _ peer: Peer, _ port: ServerPort) {
    let reaction = inbox.withLock { $0.handle(chunk, payload, fence: fence, from: peer.key) }
    switch reaction {
    case .acknowledge(let receipt): port.send(Message(.ack(receipt), fence: fence), to: peer)
    case .complete(let arrival, let receipt):
      port.send(Message(.ack(receipt), fence: fence), to: peer)
      report(.arrived(arrival))
    case .request(let request): port.send(Message(.resend(request), fence: fence), to: peer)
    case .giveUp(let reason): refuse(reason, fence, peer, port)
    case .refuse(let reason): refuse(reason, fence, peer, port)
    case .unexpected:
      let floor = floor.withLock { $0 }
      if (fence.epoch, fence.attempt) < (floor.epoch, floor.attempt) {
        port.send(Message(.current, fence: floor), to: peer)
      }
    }
  }

  private func refuse(_ reason: String, _ fence: Fence, _ peer: Peer, _ port: ServerPort) {
    port.send(Message(.refused(Refusal(.tensor, reason)), fence: fence), to: peer)
    port.strike(peer)
    report(.lost(fence, reason))
  }
}
