import Synchronization

/// The sending end of a line for tensors, to one receiver: each tensor goes on until all of it has arrived, over as many
/// connections as it takes.
public final class TensorLine: Sendable {
  /// What a line tells, on the thread of its socket.
  public enum Event: Sendable {
    /// All of a tensor of this fence has arrived.
    case delivered(Fence)
    /// The receiver does not take tensors of this fence, and says why; they are dropped.
    case refused(Fence, Refusal)
    /// The receiver did not let this process in, or its socket failed; the line goes on trying. Told once for each reason,
    /// until the receiver is reached.
    case unreachable(String)
  }

  fileprivate struct State: Sendable {
    var transfers: [Transfer] = []
    var lastTransfer: UInt64 = 0
    var patience = ResendPatience()
    /// Why the receiver is not reached, as it was told.
    var obstacle: String?
  }

  fileprivate struct Transfer: Sendable {
    let fence: Fence
    var sender: TensorSender
  }

  /// The transfers, and what is done with them on the thread of the socket.
  fileprivate final class Queue: Sendable {
    let hello: Hello
    let limits: Limits
    let state = Mutex(State())
    let report: @Sendable (Event) -> Void

    init(hello: Hello, limits: Limits, report: @escaping @Sendable (Event) -> Void) {
      self.hello = hello
      self.limits = limits
      self.report = report
    }
  }

  private static let tickMilliseconds = 200

  private let client: MessageClient
  private let queue: Queue

  private init(_ client: MessageClient, _ queue: Queue) {
    self.client = client
    self.queue = queue
  }

  /// Begins to connect.
  ///
  /// - Parameter hello: who sends; of two workers' lines under one name, that of the higher incarnation is heard.
  public static func open(
    to endpoint: Endpoint, security: ClientSecurity, hello: Hello, limits: Limits = Limits(),
    report: @escaping @Sendable (Event) -> Void = { _ in }
  ) async throws -> TensorLine {
    let queue = Queue(hello: hello, limits: limits, report: report)
    let configuration = ClientConfiguration(
      endpoint: endpoint, security: security, settings: .tensors, limits: limits, tickMilliseconds: tickMilliseconds)
    let client = try await MessageClient.start(configuration) { event, port in queue.take(event, port) }
    return TensorLine(client, queue)
  }

  /// Sends a tensor, now or later.
  public func send(_ plan: TensorPlan, _ payload: Payload, fence: Fence) {
    var fence = fence
    fence.sequence = 0
    queue.state.withLock { state in
      state.lastTransfer += 1
      let sender = TensorSender(transfer: state.lastTransfer, plan, payload, limits: queue.limits)
      state.transfers.append(Transfer(fence: fence, sender: sender))
    }
    client.post { [queue] port in queue.pump(port) }
  }

  /// Lets go of tensors that nobody waits for any more.
  ///
  /// - Parameter stream: only of this one, unless nil.
  public func drop(_ stream: WireStream? = nil, where isPointless: (Fence) -> Bool) {
    queue.state.withLock { state in
      state.transfers.removeAll { (stream == nil || $0.sender.plan.stream == stream) && isPointless($0.fence) }
    }
  }

  public func close() async { await client.stop() }
}

extension TensorLine.Queue {
  fileprivate func take(_ event: ClientEvent, _ port: ClientPort) {
    switch event {
    case .ready:
      port.send(Message(.hello(hello)))
      state.withLock { state in
        state.obstacle = nil
        for index in state.transfers.indices { state.transfers[index].sender.startAgain() }
      }
      pump(port)
    case .message(let message, _): take(message, port)
    case .tick: pump(port)
    case .refused, .brokenOff: meet("\(hello.name) is not let in")
    case .failed(let reason): meet(reason)
    // Whoever has the line says it once for all of them.
    case .disconnected, .malformed, .insecure: break
    }
  }

  private func meet(_ obstacle: String) {
    let isKnown = state.withLock { state in
      defer { state.obstacle = obstacle }
      return state.obstacle == obstacle
    }
    if !isKnown { report(.unreachable(obstacle)) }
  }

  private func take(_ message: Message, _ port: ClientPort) {
    switch message.body {
    case .ack(let receipt): update(receipt.transfer) { $0.handle(receipt, now: MonotonicClock.milliseconds) }
    case .resend(let request): update(request.transfer) { $0.handle(request) }
    case .credit(let change): update(change.transfer) { $0.handle(change) }
    case .current: drop(below: message.fence)
    case .refused(let refusal) where refusal.reason == .unexpected: port.send(Message(.hello(hello)))
    case .refused(let refusal):
      let fence = message.fence
      state.withLock { $0.transfers.removeAll { $0.fence == fence } }
      report(.refused(fence, refusal))
    default: break
    }
    pump(port)
  }

  private func update(_ transfer: UInt64, _ change: (inout TensorSender) -> Void) {
    let delivered: Fence? = state.withLock { state in
      guard let index = state.transfers.firstIndex(where: { $0.sender.transfer == transfer }) else { return nil }
      change(&state.transfers[index].sender)
      state.patience = state.transfers[index].sender.patience
      return state.transfers[index].sender.isDone ? state.transfers.remove(at: index).fence : nil
    }
    if let delivered { report(.delivered(delivered)) }
  }

  /// The receiver is further than these.
  private func drop(below fence: Fence) {
    state.withLock { state in
      state.transfers.removeAll { ($0.fence.epoch, $0.fence.attempt) < (fence.epoch, fence.attempt) }
    }
  }

  /// Hands to the socket what windows and the socket allow.
  fileprivate func pump(_ port: ClientPort) {
    guard port.isReady else { return }
    let now = MonotonicClock.milliseconds
    state.withLock { state in
      for index in state.transfers.indices {
        let fence = state.transfers[index].fence
        state.transfers[index].sender.patience = state.patience
        while let (chunk, bytes) = state.transfers[index].sender.next(now: now) {
          guard port.send(Message(.chunk(chunk), fence: fence), bytes) == .sent else { return }
          state.transfers[index].sender.sent(chunk, now: now)
        }
      }
    }
  }
}
