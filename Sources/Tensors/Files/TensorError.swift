import Files

/// Why a tensor could not be made or read as asked, as one sentence that names it.
public struct TensorError: Error, Sendable, Hashable, CustomStringConvertible {
  public let tensor: String
  public let reason: String

  public init(tensor: String, reason: String) {
    self.tensor = tensor
    self.reason = reason
  }

  public var description: String { "tensor \(tensor.printable()): \(reason)" }
}
