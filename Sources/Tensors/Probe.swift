/// Sees tensors inside a computation as they come about: to compare them with those of another implementation.
///
/// Names are those of diffusers' and transformers' modules, such as `transformer_blocks.0.ff`, relative to the model;
/// where a module returns several tensors, a number follows.
public struct Probe: Sendable {
  private let prefix: String
  private let receive: @Sendable (_ name: String, _ tensor: Tensor) -> Void

  public init(_ receive: @escaping @Sendable (_ name: String, _ tensor: Tensor) -> Void) {
    self.init(prefix: "", receive: receive)
  }

  private init(prefix: String, receive: @escaping @Sendable (_ name: String, _ tensor: Tensor) -> Void) {
    self.prefix = prefix
    self.receive = receive
  }

  public func callAsFunction(_ name: String, _ tensor: Tensor) { receive(prefix + name, tensor) }

  /// The probe of a module inside, whose names it completes.
  public func module(_ name: String) -> Probe { Probe(prefix: prefix + name + ".", receive: receive) }
}
