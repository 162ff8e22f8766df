import Tensors

/// The architecture of a Llama as a text encoder: the keys of transformers' `LlamaConfig`.
public struct LlamaConfiguration: Sendable {
  public var vocabulary: Int
  public var width: Int
  public var mlpWidth: Int
  public var layers: Int
  public var heads: Int
  /// Heads of keys and values, which divide the heads.
  public var keyValueHeads: Int
  public var headWidth: Int
  /// The longest prompt in tokens.
  public var positions: Int
  public var activation: Activation
  public var epsilon: Float
  /// The base of the rotary frequencies.
  public var ropeTheta: Double
  public var hasAttentionBias: Bool
  public var hasMLPBias: Bool

  /// Reads a `config.json`; the defaults are those of transformers.
  ///
  /// - Throws: ``FileError`` that names file and key.
  public init(_ configuration: PartConfiguration) throws {
    try configuration.require("model_type", "llama")
    // Stretched positions, as from Llama 3.1 on.
    guard !configuration.contains("rope_scaling") else {
      throw configuration.error("rope_scaling", "is set, which is not supported")
    }
    vocabulary = try configuration.integer("vocab_size", default: 32000, in: 1...1 << 24)
    width = try configuration.integer("hidden_size", default: 4096, in: 1...1 << 16)
    mlpWidth = try configuration.integer("intermediate_size", default: 11008, in: 1...1 << 18)
    layers = try configuration.integer("num_hidden_layers", default: 32, in: 1...1000)
    heads = try configuration.integer("num_attention_heads", default: 32, in: 1...1024)
    keyValueHeads = try configuration.integer("num_key_value_heads", default: heads, in: 1...1024)
    headWidth = try configuration.integer("head_dim", default: max(1, width / heads), in: 1...1 << 12)
    positions = try configuration.integer("max_position_embeddings", default: 2048, in: 1...1 << 24)
    epsilon = try configuration.epsilon("rms_norm_eps", default: 1e-6)
    ropeTheta = try Self.ropeTheta(configuration)
    hasAttentionBias = try configuration.bool("attention_bias", default: false)
    hasMLPBias = try configuration.bool("mlp_bias", default: false)
    let name = try configuration.string("hidden_act", default: "silu")
    guard let activation = Activation(transformersName: name) else {
      throw configuration.error("hidden_act", "names a function that is not built: \(name.prefix(40))")
    }
    self.activation = activation
    guard heads % keyValueHeads == 0 else {
      throw configuration.error("num_key_value_heads", "must divide num_attention_heads, \(heads)")
    }
    guard headWidth % 2 == 0 else { throw configuration.error("head_dim", "is \(headWidth), which is not even") }
  }

  /// Newer files have the base in an object, beside the kind of rotation.
  private static func ropeTheta(_ configuration: PartConfiguration) throws -> Double {
    guard configuration.contains("rope_parameters"), let json = configuration.json["rope_parameters"] else {
      return try configuration.ropeTheta(default: 10000)
    }
    let parameters = try PartConfiguration(path: configuration.path, json: json)
    try parameters.require("rope_type", "default")
    return try parameters.ropeTheta(default: 10000)
  }

  /// The bytes that encoding so many tokens takes beside the weights, at most.
  public func activationBytes(tokens: Int) -> Int {
    let qkv = (heads + 2 * keyValueHeads) * headWidth
    let scores = ThreadPool.shared.threads * min(tokens, Attention.queriesPerPiece) * tokens
    // Hidden states, their norm, q, k and v, the attention's output, and both halves of the MLP.
    return (tokens * (3 * width + qkv + heads * headWidth + 2 * mlpWidth) + scores) * MemoryLayout<Float>.stride
  }
}
