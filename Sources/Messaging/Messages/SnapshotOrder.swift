/// Asks a stage for a snapshot of what it keeps of a sample, taken before the step of the fence, which is full. What it
/// consists of comes as a message of its own, its tensors in chunks.
public struct SnapshotOrder: Sendable, Hashable {
  /// Where the tensors go.
  public var destination: Assignment.Neighbour

  public init(destination: Assignment.Neighbour) { self.destination = destination }
}

extension SnapshotOrder: MessageFields {
  static let kind = MessageKind.takeSnapshot
  static let fields: FieldSet = [.nextAddress, .nextKey]

  init(reading header: HeaderReader) throws(MalformedMessage) { destination = try .init(destinationOf: header) }

  func write(to header: HeaderWriter) { destination.write(to: header) }
}

/// Where a worker sends what it was asked for.
extension Assignment.Neighbour {
  init(destinationOf header: HeaderReader) throws(MalformedMessage) {
    let address = try header.text(\.next_address, .nextAddress, maximumBytes: MessageText.addressBytes)
    guard !address.isEmpty else { throw header.malformed(.nextAddress, "is missing") }
    self.init(address: address, key: try header.keyIfAny(\.next_key, .nextKey))
  }

  func write(to header: HeaderWriter) {
    header.message.next_address = header.text(address, maximumBytes: MessageText.addressBytes)
    header.message.next_key = header.text(key?.text ?? "", maximumBytes: PublicKey.characters)
  }
}
