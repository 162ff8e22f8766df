import Glibc

/// Something that only a loop's thread may use, such as a port, and that tasks reach by handing work to the thread.
///
/// Unchecked: only the loop's thread reads or writes `value`.
final class LoopConfined<Value>: @unchecked Sendable {
  private let loop: MessageLoop
  private(set) var value: Value?

  init(_ loop: MessageLoop) { self.loop = loop }

  /// To be called on the loop's thread.
  func set(_ value: Value) { self.value = value }

  /// Does something with the value, on its thread.
  ///
  /// - Throws: ``SocketError`` if it is gone.
  func use<Outcome: Sendable>(_ body: @escaping @Sendable (Value) throws -> Outcome) async throws -> Outcome {
    try await loop.run { [self] _ in
      guard let value else { throw SocketError("Using a socket that is closed", code: ECANCELED) }
      return try body(value)
    }
  }

  /// Does something with the value, on its thread, some time; nothing if it is gone.
  func post(_ body: @escaping @Sendable (Value) -> Void) {
    loop.post { [self] _ in if let value { body(value) } }
  }

  /// Lets go of the value and ends the thread.
  func end() async {
    loop.post { [self] _ in value = nil }
    await loop.stop()
  }
}
