/// Why a message could not be read, and where.
public struct MalformedMessage: Error, Sendable, Hashable, CustomStringConvertible {
  public let reason: String
  /// Byte offset in the header.
  public let offset: Int

  public init(_ reason: String, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  public var description: String { "\(reason) (byte \(offset) of the header)" }
}
