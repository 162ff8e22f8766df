import Testing

@testable import Messaging

/// Fences, sequences, states, strikes and the directory of peers: values that are told the time.
@Suite struct ProtocolValuesTests {
  @Test func fencesTellTheCurrentFromTheLate() {
    let held = Fence(epoch: 5, job: 7, row: 1, attempt: 3, stage: 2, step: 10)
    func judge(_ change: (inout Fence) -> Void) -> Fence.Verdict {
      var other = held
      change(&other)
      return held.judge(other)
    }
    #expect(judge { $0.sequence = 99 } == .current)
    #expect(judge { $0.step = 11 } == .ahead)
    #expect(judge { $0.step = 12 } == .stale)
    #expect(judge { $0.step = 9 } == .stale)
    #expect(judge { $0.attempt = 2 } == .stale)
    #expect(judge { $0.attempt = 4 } == .unknown)
    #expect(judge { $0.epoch = 4 } == .stale)
    #expect(judge { $0.epoch = 6 } == .unknown)
    #expect(judge { $0.job = 8 } == .stale)
    #expect(judge { $0.row = 0 } == .stale)
    #expect(judge { $0.stage = 1 } == .stale)
    // An old coordinator's high attempt is no reason to believe it.
    #expect(judge { ($0.epoch, $0.attempt) = (4, 100) } == .stale)
    #expect(Fence(step: .max).judge(Fence(step: 0)) == .stale)
  }

  @Test func numberedMessagesComeOnceAndInTheirOrder() {
    var inbox = OrderedInbox()
    var order: [UInt64] = []
    var acknowledged: [Bool] = []
    for sequence: UInt64 in [1, 3, 3, 2, 2, 1, 6, 5, 4, 7 + 256, 7] {
      let taken = inbox.take(Message(.release, fence: Fence(sequence: sequence)), .empty)
      acknowledged.append(taken.acknowledges)
      order += taken.ready.map(\.message.fence.sequence)
    }
    #expect(order == [1, 2, 3, 4, 5, 6, 7])
    // The one too far ahead is not taken and comes again.
    #expect(acknowledged == [true, true, true, true, true, true, true, true, true, false, true])
  }

  @Test func aMessageIsSentAgainUntilItIsAcknowledged() {
    var outbox = Outbox()
    let first = outbox.add(Message(.release), .empty, now: 0)
    let second = outbox.add(Message(.closeSample, fence: Fence(job: 3)), Payload([1]), now: 400)
    #expect([first.fence.sequence, second.fence.sequence] == [1, 2])
    #expect(outbox.overdue(now: 999).isEmpty)
    #expect(outbox.overdue(now: 1000).map(\.message) == [first])
    #expect(outbox.overdue(now: 1400).map(\.message) == [second])
    outbox.acknowledge(1)
    #expect(outbox.overdue(now: 9000).map(\.payload) == [Payload([1])])
    outbox.drop { $0.fence.job == 3 }
    #expect(outbox.isEmpty)
  }

  @Test func statesExpectWhatTheTableSays() {
    func expected(_ state: PeerState, _ role: Role) -> Set<MessageKind> {
      Set(MessageKind.allCases.filter { state.expects($0, from: role) })
    }
    let always: Set<MessageKind> = [.heartbeat, .received, .refused, .current, .hello]
    #expect(expected(.greeting, .worker) == [.hello])
    #expect(expected(.admitted, .worker) == always)
    #expect(expected(.assigned, .worker) == always.union([.ready, .failed]))
    #expect(
      expected(.ready, .worker) == always.union([.ready, .failed, .stepDone, .chunk, .ack, .resend, .credit]))
    #expect(expected(.admitted, .client) == always.union([.submit, .status, .cancel]))
    #expect(expected(.greeting, .client) == [.hello])
    #expect(expected(.admitted, .observer) == [.hello, .heartbeat, .status])
    for state in PeerState.allCases {
      for kind: MessageKind in [.welcome, .assign, .release, .openSample, .closeSample, .stepBegin, .accepted, .done] {
        for role in Role.allCases where role != .coordinator { #expect(!state.expects(kind, from: role)) }
      }
    }
  }

  @Test func threeMalformedMessagesInTenMinutesSilenceAPeerForTen() {
    var strikes = Strikes()
    func strike(at time: Int) -> Bool { strikes.strike("w", now: time) }
    #expect(!strike(at: 0))
    #expect(!strike(at: 300))
    // The first is ten minutes old by now.
    #expect(!strike(at: 600))
    #expect(!strikes.isQuarantined("w", now: 600))
    #expect(strike(at: 899))
    #expect(strikes.isQuarantined("w", now: 899) && strikes.isQuarantined("w", now: 1498))
    #expect(!strikes.isQuarantined("v", now: 900))
    #expect(!strikes.isQuarantined("w", now: 1499))
    // It begins anew.
    #expect(!strike(at: 1500))
  }

  @Test func strikesAreRememberedForABoundedNumberOfPeers() {
    var strikes = Strikes()
    for _ in 0..<3 { _ = strikes.strike("bad", now: 0) }
    for peer in 0..<10_000 { _ = strikes.strike("\(peer)", now: 1) }
    #expect(strikes.isQuarantined("bad", now: 599))
  }

  private func peer(
    _ name: String, _ connection: UInt8, incarnation: UInt64 = 1, role: Role = .worker
  ) -> Peer {
    Peer(name: name, role: role, key: nil, incarnation: incarnation, connection: [0, connection])
  }

  @Test func theNewestIncarnationOfAWorkerWins() {
    var peers = PeerDirectory()
    func greet(_ peer: Peer) -> PeerDirectory.Greeting { peers.greet(peer, now: 0) }
    func find(_ connection: UInt8) -> Peer? { peers.peer(at: [0, connection], now: 0) }
    let first = peer("w", 1, incarnation: 5)
    #expect(greet(first) == .admitted)
    #expect(greet(first) == .admitted)
    // The same process on a new connection, then a new process, then a message that was under way from the old one.
    let second = peer("w", 2, incarnation: 5)
    #expect(greet(second) == .replaces(first))
    #expect(find(1) == nil)
    let third = peer("w", 3, incarnation: 6)
    #expect(greet(third) == .replaces(second))
    #expect(greet(peer("w", 4, incarnation: 5)) == .outdated)
    #expect(find(3) == third)
    peers.forget([0, 3])
    #expect(greet(peer("w", 5, incarnation: 1)) == .admitted)
  }

  @Test func clientsHaveSeveralConnectionsAndAllHaveAnEnd() {
    var peers = PeerDirectory(maximumPeers: 3)
    func greet(_ peer: Peer, _ now: Int64) -> PeerDirectory.Greeting { peers.greet(peer, now: now) }
    func find(_ connection: UInt8, _ now: Int64) -> Peer? { peers.peer(at: [0, connection], now: now) }
    for connection: UInt8 in 1...3 { #expect(greet(peer("c", connection, role: .client), 0) == .admitted) }
    #expect(greet(peer("d", 4, role: .client), 60_000) == .full)
    #expect(find(2, 60_000) != nil)
    // Those who have been silent for a minute give way.
    #expect(greet(peer("d", 4, role: .client), 60_001) == .admitted)
    #expect(find(1, 60_001) == nil)
    #expect(find(2, 60_001) != nil)
  }
}
