/// Something that has happened and must not be forgotten. What it means is its owner's affair.
public struct JournalRecord: Sendable, Hashable {
  /// More bytes are refused: a damaged length must not be believed.
  public static let maximumBytes = 1 << 20

  public var type: UInt16
  /// Microseconds since 1970, for people.
  public var date: UInt64
  /// At most ``maximumBytes``.
  public var payload: [UInt8]

  public init(type: UInt16, date: UInt64, payload: [UInt8]) {
    self.type = type
    self.date = date
    self.payload = payload
  }
}
