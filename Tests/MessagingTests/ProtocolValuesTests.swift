import Testing

@testable import Messaging

/// Sequences, strikes, connections and the directory of peers: values that are told the time.
@Suite struct ProtocolValuesTests {
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

  @Test func whoConnectsAndSaysNothingGivesWayToOthers() {
    var connections = Connections(maximumSilent: 2, maximumBytes: 1000)
    let anna = Connections.Sender(id: "a", name: "anna", connection: [1])
    #expect(connections.began(5, now: 0) == nil)
    connections.spoke(5, anna)
    #expect(connections.began(6, now: 0) == nil)
    #expect(connections.began(7, now: 0) == nil)
    #expect(connections.began(8, now: 0) == Connections.Cut(descriptor: 6, sender: nil))
    connections.ended(7)
    #expect(connections.began(9, now: 0) == nil)
    // A number that is used again is another connection.
    #expect(connections.began(5, now: 0) == Connections.Cut(descriptor: 8, sender: nil))
    #expect(connections.count == 2)
  }

  @Test func theEndOfAConnectionIsThatOfWhoSpokeOnItLast() {
    var connections = Connections(maximumSilent: 9, maximumBytes: 1000)
    let anna = Connections.Sender(id: "a", name: "anna", connection: [1])
    let ben = Connections.Sender(id: "b", name: "ben", connection: [2])
    _ = connections.began(5, now: 0)
    connections.spoke(5, anna)
    #expect(connections.ended(5) == anna)
    #expect(connections.ended(5) == nil)
    // The descriptor is used again by somebody who has not said anything.
    _ = connections.began(5, now: 0)
    #expect(connections.ended(5) == nil)
    // A message of the first connection that is looked at late does not make the second one anna's.
    _ = connections.began(5, now: 0)
    connections.spoke(5, anna)
    connections.spoke(5, ben)
    #expect(connections.ended(5) == ben)
  }

  @Test func bytesWithoutAMessageAreCounted() {
    var connections = Connections(maximumSilent: 9, maximumBytes: 100_000)
    let anna = Connections.Sender(id: "a", name: "anna", connection: [1])
    _ = connections.began(5, now: 0)
    _ = connections.began(6, now: 0)
    connections.spoke(5, anna)
    func overdrawn(_ now: Int64, _ received: [Int32: UInt64]) -> [Connections.Cut] {
      connections.overdrawn(now: now) { received[$0] }
    }
    #expect(overdrawn(100, [5: 90_000_000, 6: 90_000]) == [])
    #expect(overdrawn(200, [5: 90_090_000, 6: 100_000]) == [])
    // Signs of life go on for days.
    #expect(overdrawn(86_400_000, [5: 92_000_000, 6: 3_000_000]) == [])
    connections.spoke(5, anna)
    #expect(overdrawn(86_400_100, [5: 93_000_000]) == [])
    let cuts = overdrawn(86_400_200, [5: 93_200_000, 6: 900_000_000])
    #expect(cuts == [Connections.Cut(descriptor: 5, sender: anna), Connections.Cut(descriptor: 6, sender: nil)])
    #expect(connections.count == 0)
  }
}
