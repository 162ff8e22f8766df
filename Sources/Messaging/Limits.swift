/// Everything that is bounded before anything is allocated, in one place.
public struct Limits: Sendable, Hashable {
  /// Bytes of a header, with its eight bytes in front.
  public var headerBytes = 4 << 10
  /// Fields of a header, repeated ones counted one by one.
  public var headerFields = 64
  /// Bytes that protobuf-c may ask for to unpack one header.
  public var unpackingBytes = 64 << 10
  /// Bytes of a tensor that travel in one message; longer frames would keep a heartbeat waiting.
  public var chunkBytes = 4 << 20
  /// Bytes of one frame; ZeroMQ cuts the connection of a peer that announces more.
  public var frameBytes = 4 << 20 + 64 << 10
  /// Bytes of a prompt in a request, as UTF-8.
  public var promptBytes = 8 << 10
  /// Jobs of one client that have not ended.
  public var jobsOfAClient = 10_000
  /// Bytes of their requests, in all: what a coordinator keeps in its memory for a client that only asks.
  public var requestBytesOfAClient = 64 << 20
  /// Bytes of a request, as JSON.
  public var requestBytes = 64 << 10
  /// Bytes of the settings of a sample or a task, as JSON: the times of ten thousand steps among them.
  public var settingsBytes = 256 << 10
  /// Bytes of the JSON that answers a status request or ends a job, and of a preview.
  public var reportBytes = 1 << 20
  /// Bytes of one tensor, all chunks together.
  public var tensorBytes = 4 << 30
  /// Bytes of tensors that are being received at once.
  public var inboxBytes = 8 << 30
  /// Bytes of chunks on their way without an acknowledgement.
  public var windowBytes = 16 << 20
  /// Malformed messages within ``strikeSeconds`` that silence a peer for ``quarantineSeconds``.
  public var strikes = 3
  public var strikeSeconds = 600
  public var quarantineSeconds = 600
  /// Handshakes with an unlisted key a minute and address; those behind them are put off.
  public var unlistedHandshakes = 20
  /// Connections to one server on which no message has come yet; of more, the oldest are cut.
  public var silentConnections = 64
  /// Connections that wait to be accepted.
  public var backlog = 64
  /// Bytes that may come on one connection without a whole message: what ZeroMQ may hold of one peer. (Of a TCP connection;
  /// whoever is let into an ipc folder is the same user.)
  public var undeliveredBytes = 16 << 20

  public init() {}
}

extension Limits: CustomStringConvertible {
  /// One line a limit: name, value, unit.
  public var description: String {
    """
    header            \(headerBytes) bytes, \(headerFields) fields, \(unpackingBytes) bytes to unpack
    message           2 frames of at most \(frameBytes) bytes
    chunk             \(chunkBytes) bytes, \(windowBytes) bytes without acknowledgement
    tensor            rank \(TensorPlan.maximumRank), dimensions 1...\(TensorPlan.maximumDimension), \
    \(tensorBytes) bytes, \(inboxBytes) bytes at once
    request           \(requestBytes) bytes, of which a prompt \(promptBytes)
    client            \(jobsOfAClient) jobs that have not ended, \(requestBytesOfAClient) bytes of their requests
    settings          \(settingsBytes) bytes
    report, preview   \(reportBytes) bytes
    malformed         \(strikes) in \(strikeSeconds) s, then \(quarantineSeconds) s of silence
    unlisted keys     \(unlistedHandshakes) a minute and address
    connections       \(silentConnections) that say nothing, \(backlog) that wait, \(undeliveredBytes) bytes without a message
    """
  }
}
