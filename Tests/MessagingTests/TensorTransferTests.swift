import Synchronization
import Tensors
import Testing

@testable import Messaging

@Suite(.timeLimit(.minutes(1))) struct TensorTransferTests {
  private static var limits: Limits {
    var limits = Limits()
    limits.chunkBytes = 64
    limits.windowBytes = 160
    limits.inboxBytes = 2000
    return limits
  }

  private let fence = Fence(epoch: 1, job: 2, attempt: 3, stage: 1, step: 4)
  private let plan = TensorPlan(.image, .float32, shape: [10, 10])!
  private let tensor = Tensor((0..<100).map(Float.init), shape: [10, 10])
  private let key = Samples.key

  private func sender() -> TensorSender { TensorSender(transfer: 9, plan, tensor.payload(), limits: Self.limits) }

  private func inbox() throws -> TensorInbox {
    var inbox = TensorInbox(limits: Self.limits)
    try inbox.expect(.init(plan, fence: fence, sender: key))
    return inbox
  }

  /// The chunks of a tensor, in order.
  private func chunks() -> [(TensorChunk, Payload)] {
    var sender = sender()
    var chunks: [(TensorChunk, Payload)] = []
    while let (chunk, bytes) = sender.next(now: 0) {
      sender.sent(chunk, now: 0)
      sender.handle(ChunkReceipt(transfer: 9, offset: chunk.offset, window: 160), now: 0)
      chunks.append((chunk, bytes))
    }
    return chunks
  }

  @Test func theChecksumIsXXH64() {
    func hash(_ text: String, seed: UInt64 = 0) -> UInt64 { Payload(text).withBytes { Checksum.xxh64($0, seed: seed) } }
    #expect(hash("") == 0xEF46_DB37_51D8_E999)
    #expect(hash("a") == 0xD24E_C4F1_A98C_6E5B)
    #expect(hash("abc") == 0x44BC_2CF5_AD77_0999)
    #expect(hash("Nobody inspects the spammish repetition") == 0xFBCE_A83C_8A37_8BF1)
  }

  @Test func everyFlippedBitAndEveryWrongPlaceChangesTheChecksum() {
    var bytes = (0..<100).map { UInt8($0 * 37 % 256) }
    func sum(_ bytes: [UInt8], _ offset: Int = 64, _ total: Int = 400) -> UInt64 {
      Payload(bytes).withBytes { Checksum.of($0, offset: offset, total: total) }
    }
    let right = sum(bytes)
    for bit in 0..<800 {
      bytes[bit / 8] ^= 1 << (bit % 8)
      #expect(sum(bytes) != right)
      bytes[bit / 8] ^= 1 << (bit % 8)
    }
    #expect(sum(bytes, 128) != right && sum(bytes, 64, 401) != right && sum(bytes + [0]) != right)
  }

  @Test func aTensorArrivesInAnyOrderAndTwice() throws {
    var inbox = try inbox()
    var arrival: TensorInbox.Arrival?
    let chunks = chunks()
    #expect(chunks.map(\.1.count) == [64, 64, 64, 64, 64, 64, 16])
    for (chunk, bytes) in chunks.reversed() + chunks {
      switch inbox.handle(chunk, bytes, fence: fence, from: key) {
      case .acknowledge(let receipt): #expect(receipt == ChunkReceipt(transfer: 9, offset: chunk.offset, window: 160))
      case .complete(let tensor, _):
        #expect(arrival == nil)
        arrival = tensor
      default: Issue.record("a good chunk is acknowledged")
      }
    }
    #expect(try Tensor(#require(arrival)) == tensor)
    #expect(inbox.expectedBytes == 0)
  }

  @Test func aTensorMayHaveFewerRowsThanThePlanWhereThatIsAllowed() throws {
    func arrival(_ shape: [Int], takesFewerRows: Bool) throws -> TensorInbox.Arrival? {
      var inbox = TensorInbox(limits: Self.limits)
      try inbox.expect(.init(plan, fence: fence, sender: key, takesFewerRows: takesFewerRows))
      let other = try #require(TensorPlan(.image, .float32, shape: shape))
      let count = shape.reduce(1, *)
      var sender = TensorSender(
        transfer: 9, other, Tensor((0..<count).map(Float.init), shape: shape).payload(), limits: Self.limits)
      while let (chunk, bytes) = sender.next(now: 0) {
        sender.sent(chunk, now: 0)
        sender.handle(ChunkReceipt(transfer: 9, offset: chunk.offset, window: 160), now: 0)
        switch inbox.handle(chunk, bytes, fence: fence, from: key) {
        case .acknowledge: continue
        case .complete(let tensor, _):
          // What was counted for the plan is free again.
          #expect(inbox.expectedBytes == 0)
          return tensor
        default: return nil
        }
      }
      return nil
    }
    let few = try #require(try arrival([7, 10], takesFewerRows: true))
    #expect(Tensor(few) == Tensor((0..<70).map(Float.init), shape: [7, 10]))
    #expect(try arrival([10, 10], takesFewerRows: true)?.plan == plan)
    #expect(try arrival([7, 10], takesFewerRows: false) == nil)
    #expect(try arrival([11, 10], takesFewerRows: true) == nil)
    #expect(try arrival([7, 9], takesFewerRows: true) == nil)
  }

  @Test func theChunksOfATensorAreOfOneShape() throws {
    var inbox = TensorInbox(limits: Self.limits)
    try inbox.expect(.init(plan, fence: fence, sender: key, takesFewerRows: true))
    let (chunk, bytes) = chunks()[0]
    guard case .acknowledge = inbox.handle(chunk, bytes, fence: fence, from: key) else {
      Issue.record("the first chunk is good")
      return
    }
    let (second, more) = chunks()[1]
    var other = second
    other.plan = try #require(TensorPlan(.image, .float32, shape: [9, 10]))
    guard case .refuse = inbox.handle(other, more, fence: fence, from: key) else {
      Issue.record("a chunk of another shape is refused")
      return
    }
  }

  @Test func whatIsNotExpectedIsLeftAlone() throws {
    var inbox = try inbox()
    let (chunk, bytes) = chunks()[0]
    func isUnexpected(_ chunk: TensorChunk, _ fence: Fence, _ key: PublicKey?) -> Bool {
      if case .unexpected = inbox.handle(chunk, bytes, fence: fence, from: key) { true } else { false }
    }
    for change: (inout Fence) -> Void in [
      { $0.epoch = 0 }, { $0.job = 0 }, { $0.row = 1 }, { $0.attempt = 2 }, { $0.stage = 0 }, { $0.step = 5 },
    ] {
      var other = fence
      change(&other)
      #expect(isUnexpected(chunk, other, key))
    }
    #expect(isUnexpected(chunk, fence, try KeyPair().publicKey))
    #expect(isUnexpected(chunk, fence, nil))
    #expect(!isUnexpected(chunk, fence, key))
    var second = chunk
    second.transfer = 10
    #expect(isUnexpected(second, fence, key))
    inbox.cancel { $0.fence.attempt <= 3 }
    #expect(isUnexpected(chunk, fence, key))
    #expect(inbox.expectedBytes == 0)
  }

  @Test func onlyThePlanSaysWhatATensorIs() throws {
    let (chunk, bytes) = chunks()[0]
    for other in [
      TensorPlan(.image, .float32, shape: [100]), TensorPlan(.image, .int32, shape: [10, 10]),
      TensorPlan(.image, .float32, shape: [1 << 24, 64]),
    ] {
      var inbox = try inbox()
      var wrong = chunk
      wrong.plan = try #require(other)
      guard case .refuse = inbox.handle(wrong, bytes, fence: fence, from: key) else {
        Issue.record("it is refused")
        continue
      }
      #expect(inbox.expectedBytes == 400)
    }
    var inbox = try inbox()
    for (offset, payload) in [(1, bytes), (64, bytes.slice(0..<63)), (384, bytes), (400, bytes), (-64, bytes)] {
      var wrong = chunk
      wrong.offset = offset
      guard case .refuse = inbox.handle(wrong, payload, fence: fence, from: key) else {
        Issue.record("\(offset) is refused")
        continue
      }
    }
  }

  @Test func aDamagedChunkIsAskedForOnce() throws {
    var inbox = try inbox()
    let (chunk, bytes) = chunks()[2]
    var damaged = bytes.bytes
    damaged[5] ^= 16
    guard case .request(let request) = inbox.handle(chunk, Payload(damaged), fence: fence, from: key) else {
      Issue.record("it is asked for")
      return
    }
    #expect(request == ChunkRequest(transfer: 9, offset: 128))
    guard case .giveUp = inbox.handle(chunk, Payload(damaged), fence: fence, from: key) else {
      Issue.record("it is given up")
      return
    }
    guard case .unexpected = inbox.handle(chunk, bytes, fence: fence, from: key) else {
      Issue.record("it is over")
      return
    }
  }

  /// Each of many tensors arrives with a bit of each of its chunks flipped, and is asked for again.
  @Test func everyFlippedBitOfAChunkIsFound() throws {
    var generator = SeededGenerator(seed: 21)
    let chunks = chunks()
    var (flips, found) = (0, 0)
    while flips < 10_000 {
      var inbox = try inbox()
      var arrival: TensorInbox.Arrival?
      for (chunk, bytes) in chunks {
        var damaged = bytes.bytes
        damaged[Int.random(in: damaged.indices, using: &generator)] ^= 1 << Int.random(in: 0..<8, using: &generator)
        flips += 1
        if case .request(let request) = inbox.handle(chunk, Payload(damaged), fence: fence, from: key) {
          #expect(request == ChunkRequest(transfer: 9, offset: chunk.offset))
          found += 1
        }
        if case .complete(let tensor, _) = inbox.handle(chunk, bytes, fence: fence, from: key) { arrival = tensor }
      }
      #expect(try Tensor(#require(arrival)) == tensor)
    }
    #expect(found == flips)
  }

  @Test func memoryIsCountedBeforeATensorComes() throws {
    var inbox = TensorInbox(limits: Self.limits)
    for step: UInt32 in 0..<5 { try inbox.expect(.init(plan, fence: Fence(step: step), sender: nil)) }
    #expect(inbox.expectedBytes == 2000)
    do {
      try inbox.expect(.init(plan, fence: Fence(step: 5), sender: nil))
      Issue.record("a sixth is too much")
    } catch {
      #expect(error == .tooLarge(bytes: 400, limit: 2000))
    }
    inbox.cancel { $0.fence.step == 0 }
    do {
      try inbox.expect(.init(plan, fence: Fence(step: 1), sender: nil))
      Issue.record("it is expected already")
    } catch {
      #expect(error == .expectedAlready)
    }
    #expect(TensorPlan(.image, .float32, shape: []) == nil)
    #expect(TensorPlan(.image, .float64, shape: [1]) == nil)
    #expect(TensorPlan(.image, .float32, shape: Array(repeating: 1 << 24, count: 3)) == nil)
    #expect(TensorPlan(.image, .float32, shape: [-1]) == nil)
  }

  @Test func theSenderKeepsTheWindowAndSendsAgain() throws {
    var sender = sender()
    func next(_ now: Int64) -> Int? {
      guard let chunk = sender.next(now: now)?.chunk else { return nil }
      sender.sent(chunk, now: now)
      return chunk.offset
    }
    // 160 bytes are two chunks and a half.
    #expect([next(0), next(1), next(2)] == [0, 64, nil])
    sender.handle(ChunkReceipt(transfer: 9, offset: 0, window: 160), now: 2)
    sender.handle(ChunkReceipt(transfer: 8, offset: 64, window: 0), now: 2)
    #expect([next(3), next(4)] == [128, nil])
    // Two seconds without a receipt.
    #expect([next(2000), next(2001), next(2002), next(2003), next(2004)] == [nil, 64, nil, 128, nil])
    #expect(sender.resends == 2)
    sender.handle(ChunkRequest(transfer: 9, offset: 128))
    #expect([next(2005), next(2006)] == [128, nil])
    // A closed window, and one chunk every two seconds until it opens.
    for offset in [64, 128] { sender.handle(ChunkReceipt(transfer: 9, offset: offset, window: 0), now: 2500) }
    #expect([next(3000), next(4005), next(4006)] == [nil, 192, nil])
    sender.handle(WindowChange(transfer: 9, window: 1000))
    #expect([next(4007), next(4008), next(4009), next(4010)] == [256, 320, 384, nil])
    #expect(!sender.isDone)
    for offset in [192, 256, 320, 384] {
      sender.handle(ChunkReceipt(transfer: 9, offset: offset, window: 160), now: 4500)
    }
    #expect(sender.isDone && next(100_000) == nil)
    // Nonsense from the other end.
    for offset in [-64, 1, 400, .max] { sender.handle(ChunkReceipt(transfer: 9, offset: offset, window: 0), now: 2500) }
    #expect(sender.isDone)
  }

  @Test func chunksThatOnlyWaitOnASlowLinkAreNotSentAgain() throws {
    var limits = Self.limits
    limits.windowBytes = 256  // four chunks
    var sender = TensorSender(transfer: 9, plan, tensor.payload(), limits: limits)
    // A link that takes 1.5 seconds for a chunk, one after the other.
    var (onTheWay, sent, now): ([(offset: Int, arrival: Int64)], Int, Int64) = ([], 0, 0)
    while !sender.isDone, now < 60_000 {
      while let first = onTheWay.first, first.arrival <= now {
        onTheWay.removeFirst()
        sender.handle(ChunkReceipt(transfer: 9, offset: first.offset, window: 256), now: now)
      }
      while let (chunk, _) = sender.next(now: now) {
        sender.sent(chunk, now: now)
        sent += 1
        onTheWay.append((chunk.offset, max(now, onTheWay.last?.arrival ?? 0) + 1500))
      }
      now += 100
    }
    // Those of the first window that were sent before it was known how slow the link is.
    #expect(sender.isDone && sent - 7 <= 3, "\(sent) chunks of 7 were sent")
    #expect(sender.patience.milliseconds > 4 * 1500)
  }

  @Test func aLinkThatCarriesAgainIsNotWaitedForMuchLonger() {
    var patience = ResendPatience()
    patience.receive(after: 600_000)
    #expect(patience.milliseconds == 60_000)
    patience.receive(after: 10)
    #expect(patience.milliseconds == 2000)
  }

  @Test func aLossyLinkDeliversEveryTensor() throws {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<50 {
      var sender = sender()
      var inbox = try inbox()
      var (now, arrivals): (Int64, Int) = (0, 0)
      var damagedOnce = false
      while !sender.isDone {
        now += 500
        while let (chunk, bytes) = sender.next(now: now) {
          sender.sent(chunk, now: now)
          var bytes = bytes
          switch Int.random(in: 0..<10, using: &generator) {
          case 0...2: continue
          case 3 where !damagedOnce:
            damagedOnce = true
            bytes = Payload(bytes.bytes.map { $0 ^ 1 })
          default: break
          }
          for _ in 0..<Int.random(in: 1...2, using: &generator) {
            let reaction = inbox.handle(chunk, bytes, fence: fence, from: key)
            let isLost = Int.random(in: 0..<4, using: &generator) == 0
            switch reaction {
            case .complete(let arrival, let receipt):
              arrivals += 1
              #expect(Tensor(arrival) == tensor)
              if !isLost { sender.handle(receipt, now: now) }
            case .acknowledge(let receipt): if !isLost { sender.handle(receipt, now: now) }
            case .request(let request):
              if !isLost { sender.handle(request) }
            case .giveUp:
              // The doubled damaged chunk: the attempt would end here.
              inbox = try self.inbox()
            case .refuse, .unexpected: Issue.record("nothing is refused")
            }
            if case .request = reaction { break }
          }
        }
        #expect(now < 1_000_000)
      }
      #expect(arrivals == 1)
    }
  }

  @Test func aTensorCrossesAConnectionWithCurve() async throws {
    let enrolment = try Enrolment([("w1", .worker)])
    let plan = try #require(TensorPlan(.image, .float32, shape: [3, 1 << 20]))
    let tensor = Tensor((0..<3 << 20).map { Float($0 % 65_537) }, shape: plan.shape)
    let sending = Mutex(TensorSender(transfer: 1, plan, tensor.payload()))
    let receiver = InboxBox()
    let arrived = FirstValue<TensorInbox.Arrival>()
    let done = FirstValue<Void>()
    let fence = fence
    try receiver.inbox.expect(.init(plan, fence: fence, sender: enrolment.peers["w1"]?.publicKey))
    let server = try await MessageServer.start(
      ServerConfiguration(
        endpoints: [try Endpoint("tcp://127.0.0.1:0")], security: enrolment.serving, settings: .tensors)
    ) { event, port in
      guard case .message(let message, let payload, let peer) = event else { return }
      if case .hello = message.body { port.send(Message(.welcome(Welcome(build: "", leaseMilliseconds: 1))), to: peer) }
      guard case .chunk(let chunk) = message.body else { return }
      switch receiver.inbox.handle(chunk, payload, fence: message.fence, from: peer.key) {
      case .acknowledge(let receipt): port.send(Message(.ack(receipt), fence: message.fence), to: peer)
      case .complete(let arrival, let receipt):
        port.send(Message(.ack(receipt), fence: message.fence), to: peer)
        arrived.set(arrival)
      default: break
      }
    }
    let client = try await MessageClient.start(
      ClientConfiguration(
        endpoint: server.endpoints[0], security: enrolment.security("w1"), settings: .tensors, tickMilliseconds: 100)
    ) { event, port in
      if case .ready = event { port.send(Message(.hello(Hello(build: "", role: .worker, name: "w1", incarnation: 1)))) }
      guard case .message(let message, _) = event else { return }
      sending.withLock { sender in
        let now = MonotonicClock.milliseconds
        if case .ack(let receipt) = message.body { sender.handle(receipt, now: now) }
        while let (chunk, bytes) = sender.next(now: now),
          port.send(Message(.chunk(chunk), fence: fence), bytes) == .sent
        {
          sender.sent(chunk, now: now)
        }
        if sender.isDone { done.set(()) }
      }
    }
    #expect(Tensor(await arrived.value) == tensor)
    await done.value
    await client.stop()
    await server.stop()
  }

  /// A line goes on trying where it is not let in; people are told once, until it was.
  @Test(.timeLimit(.minutes(1))) func aLineThatIsNotLetInSaysSoOnceAndDeliversWhenItIs() async throws {
    let enrolment = try Enrolment([("w1", .worker)])
    let list = enrolment.access.list
    enrolment.revoke("w1")
    let plan = try #require(TensorPlan(.image, .float32, shape: [2, 3]))
    let tensor = Tensor((0..<6).map(Float.init), shape: plan.shape)
    let arrived = FirstValue<TensorInbox.Arrival>()
    let server = try await TensorServer.start(at: Endpoint("tcp://127.0.0.1:0"), security: enrolment.serving) { event in
      if case .arrived(let arrival) = event { arrived.set(arrival) }
    }
    try server.expect(.init(plan, fence: fence, sender: enrolment.peers["w1"]?.publicKey))
    let obstacles = EventLog<String>()
    let hello = Hello(build: "", role: .worker, name: "w1", incarnation: 1)
    let line = try await TensorLine.open(to: server.endpoint, security: enrolment.security("w1"), hello: hello) {
      event in
      if case .unreachable(let reason) = event { obstacles.add(reason) }
    }
    line.send(plan, tensor.payload(), fence: fence)
    _ = try await obstacles.first { _ in true }
    // Time for several attempts.
    try await Task.sleep(for: .milliseconds(1500))
    #expect(obstacles.events == ["w1 is not let in"])
    enrolment.access.list = list
    #expect(Tensor(await arrived.value) == tensor)
    await line.close()
    await server.stop()
  }

  /// Unchecked: only the server's thread uses it once the server runs.
  private final class InboxBox: @unchecked Sendable { var inbox = TensorInbox() }

  @Test func tensorsAreSentFromWhereTheyStandAndStayWhatTheyWere() {
    var tensor = Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])
    let before = tensor
    let payload = tensor.payload()
    let place = tensor.withUnsafeElements { UnsafeRawPointer($0.baseAddress) }
    #expect(payload.withBytes { $0.baseAddress } == place)
    tensor[0] = 7
    #expect(payload == before.payload() && payload != tensor.payload())
  }

  @Test func bfloat16IsWidened() throws {
    let plan = try #require(TensorPlan(.pooled, .bfloat16, shape: [2]))
    let arrival = TensorInbox.Arrival(plan: plan, fence: fence, payload: Payload([0x80, 0x3F, 0x20, 0xC0]))
    #expect(try #require(Tensor(arrival)).elements == [1, -2.5])
    let integers = try #require(TensorPlan(.pooled, .int32, shape: [1]))
    #expect(Tensor(TensorInbox.Arrival(plan: integers, fence: fence, payload: Payload([0, 0, 0, 0]))) == nil)
  }

  @Test func slicesShareMemoryThatLivesAsLongAsTheyDo() {
    var slice = Payload(byteCount: 1 << 20) { bytes in for index in bytes.indices { bytes[index] = UInt8(index % 251) }
    }
    for _ in 0..<4 { slice = slice.slice(251..<slice.count) }
    #expect(slice.count == 1 << 20 - 4 * 251)
    #expect(slice.slice(0..<3).bytes == [0, 1, 2])
    #expect(Payload.empty.bytes == [] && Payload("é").bytes == [0xC3, 0xA9])
  }
}
