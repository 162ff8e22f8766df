import Messaging
import Synchronization
import Tensors

/// How fast the links to workers are, for the plans of stages: measured once for each that joins and does not say.
extension Coordinator {
  /// The bytes of the probes, in their order. The first waits for the connection, too, and does not count; the last is for
  /// links on which the others take next to no time.
  static let probeBytes = [256 << 10, 256 << 10, 256 << 10, 8 << 20]
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
    // The best: a probe is late where something else is computed, too.
    var speed: Double?
    var shortest = Int64.max
    for (step, bytes) in Self.probeBytes.enumerated() {
      if step + 1 == Self.probeBytes.count, shortest > Self.quickMicroseconds { break }
      guard let plan = TensorPlan(.probe, .uint8, shape: [bytes]) else { break }
      let payload = Payload(byteCount: bytes) { $0.initializeMemory(as: UInt8.self, repeating: 0x55) }
      let start = Clock.microseconds
      line.send(plan, payload, fence: Fence(epoch: epoch, attempt: session, step: UInt32(step)))
      guard await waiting.next() != nil else { break }
      guard step > 0 else { continue }
      let taken = max(1, Clock.microseconds - start)
      shortest = min(shortest, taken)
      speed = max(speed ?? 0, Double(bytes) / (Double(taken) / 1e6))
    }
    await line.close()
    return speed
  }

  /// The probes that a worker expects in a session.
  static func probes(epoch: UInt64, session: UInt32, sender: PublicKey?) -> [TensorInbox.Expectation] {
    probeBytes.enumerated().compactMap { step, bytes in
      TensorPlan(.probe, .uint8, shape: [bytes]).map { plan in
        let fence = Fence(epoch: epoch, attempt: session, step: UInt32(step))
        return TensorInbox.Expectation(plan, fence: fence, sender: sender)
      }
    }
  }
}
