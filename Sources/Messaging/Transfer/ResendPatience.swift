/// For how long a chunk may be without a receipt before it is sent again: twice as long as the last one took there and back.
///
/// On a slow link chunks wait for one another. If those that are only waiting were sent again, the link would be the slower
/// for it, until it carried nothing else.
public struct ResendPatience: Sendable, Hashable {
  static let leastMilliseconds: Int64 = 2_000
  /// A link that stood still is not waited for much longer once it carries again.
  static let mostMilliseconds: Int64 = 60_000

  public private(set) var milliseconds = Self.leastMilliseconds

  public init() {}

  /// - Parameter roundTrip: milliseconds since the chunk was first sent, so that a receipt of a later sending makes it too long
  ///   rather than too short.
  mutating func receive(after roundTrip: Int64) {
    milliseconds = min(max(2 * roundTrip, Self.leastMilliseconds), Self.mostMilliseconds)
  }
}
