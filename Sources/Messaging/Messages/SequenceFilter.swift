/// Tells the first arrival of a numbered message from later ones, within one connection and in bounded memory.
///
/// Remembers the last 64 numbers below the highest; anything older counts as seen, since it can only be a repetition.
public struct SequenceFilter: Sendable, Hashable {
  private var highest: UInt64 = 0
  /// Bit n: the number `highest - n` has been seen.
  private var seen: UInt64 = 0

  public init() {}

  /// Whether `sequence` comes for the first time. 0, the number of messages that are not acknowledged, always does.
  public mutating func isNew(_ sequence: UInt64) -> Bool {
    guard sequence > 0 else { return true }
    if sequence > highest {
      let distance = sequence - highest
      seen = distance < 64 ? seen << distance | 1 : 1
      highest = sequence
      return true
    }
    let distance = highest - sequence
    guard distance < 64, seen >> distance & 1 == 0 else { return false }
    seen |= 1 << distance
    return true
  }
}
