import Messaging
import Synchronization
import Tensors

/// How fast the links to workers are, for the plans of stages: measured once for each that joins and does not say.
extension Coordinator {
  /// Of the first probe, and of the second where the first was quick.
  static let probeBytes = [256 << 10, 8 << 20]
  private static let quickMicroseconds: Int64 = 50_000
  private static let probeSeconds = 30

  /// Sends a worker bytes that mean nothing and looks how long it takes until they are acknowledged. Nobody waits for it;
  /// plans begin with an assumption.
  nonisolated func measureLink(_ worker: String, _ session: UInt32, _ neighbour: Assignment.Neighbour) {
    Task {
      do {
        guard let speed = try await measured(session, neighbour) else { return }
        post(.linkMeasured(worker: worker, bytesPerSecond: speed))
      } catch {
        note("The link to the worker \(worker) cannot be measured: \(error)")
      }
    }
  }

  /// Bytes a second; nil if the probe does not arrive in time.
  private func measured(_ session: UInt32, _ neighbour: Assignment.Neighbour) async throws -> Double? {
    let (deliveries, delivered) = AsyncStream.makeStream(of: UInt32.self)
    let line = try await openLine(to: neighbour, "The worker at \(neighbour.address)") { delivered.yield($0.step) }
    let timeout = Task {
      try await Task.sleep(for: .seconds(Self.probeSeconds))
      delivered.finish()
    }
    defer { timeout.cancel() }
    var waiting = deliveries.makeAsyncIterator()
    var speed: Double?
    for (number, bytes) in Self.probeBytes.enumerated() {
      guard let plan = TensorPlan(.probe, .uint8, shape: [bytes]) else { break }
      let payload = Payload(byteCount: bytes) { $0.initializeMemory(as: UInt8.self, repeating: 0x55) }
      // The first also waits for the connection, so that it is sent twice and the second time counts.
      for isCounted in number == 0 ? [false, true] : [true] {
        let step = UInt32(2 * number) + (isCounted ? 1 : 0)
        let start = Clock.microseconds
        line.send(plan, payload, fence: Fence(epoch: epoch, attempt: session, step: step))
        guard await waiting.next() != nil else {
          await line.close()
          return speed
        }
        let taken = max(1, Clock.microseconds - start)
        if isCounted { speed = Double(bytes) / (Double(taken) / 1e6) }
        if isCounted, taken > Self.quickMicroseconds {
          await line.close()
          return speed
        }
      }
    }
    await line.close()
    return speed
  }

  /// The probes that a worker expects in a session.
  static func probes(epoch: UInt64, session: UInt32, sender: PublicKey?) -> [TensorInbox.Expectation] {
    probeBytes.enumerated().flatMap { number, bytes -> [TensorInbox.Expectation] in
      guard let plan = TensorPlan(.probe, .uint8, shape: [bytes]) else { return [] }
      return (number == 0 ? [0, 1] : [UInt32(2 * number) + 1]).map { step in
        TensorInbox.Expectation(plan, fence: Fence(epoch: epoch, attempt: session, step: step), sender: sender)
      }
    }
  }
}
