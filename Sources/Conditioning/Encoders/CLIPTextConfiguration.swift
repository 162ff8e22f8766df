import Tensors

/// The architecture of a CLIP text encoder: the keys of transformers' `CLIPTextConfig`.
public struct CLIPTextConfiguration: Sendable {
  public var vocabulary: Int
  public var width: Int
  public var mlpWidth: Int
  public var layers: Int
  public var heads: Int
  /// The longest prompt in tokens.
  public var positions: Int
  public var activation: Activation
  public var epsilon: Float
  /// Which token ends the prompt; 2 stands for the rule of old checkpoints, see ``CLIPTextEncoder/pooledPosition(_:)``.
  public var endOfText: Int32

  public var headWidth: Int { width / heads }

  /// CLIP ViT-L/14, for files that come without a configuration, such as `clip_l.safetensors`.
  public static let clipL = CLIPTextConfiguration(
    vocabulary: 49408, width: 768, mlpWidth: 3072, layers: 12, heads: 12, positions: 77, activation: .quickGELU,
    epsilon: 1e-5, endOfText: 2)

  public init(
    vocabulary: Int, width: Int, mlpWidth: Int, layers: Int, heads: Int, positions: Int, activation: Activation,
    epsilon: Float, endOfText: Int32
  ) {
    precondition(width % heads == 0, "\(heads) heads cannot share a width of \(width)")
    self.vocabulary = vocabulary
    self.width = width
    self.mlpWidth = mlpWidth
    self.layers = layers
    self.heads = heads
    self.positions = positions
    self.activation = activation
    self.epsilon = epsilon
    self.endOfText = endOfText
  }

  /// Reads a `config.json`; the defaults are those of transformers.
  ///
  /// - Throws: ``FileError`` that names file and key.
  public init(_ configuration: PartConfiguration) throws {
    try configuration.require("model_type", "clip_text_model")
    vocabulary = try configuration.integer("vocab_size", default: 49408, in: 1...1 << 24)
    width = try configuration.integer("hidden_size", default: 512, in: 1...1 << 16)
    mlpWidth = try configuration.integer("intermediate_size", default: 2048, in: 1...1 << 18)
    layers = try configuration.integer("num_hidden_layers", default: 12, in: 1...1000)
    heads = try configuration.integer("num_attention_heads", default: 8, in: 1...1024)
    positions = try configuration.integer("max_position_embeddings", default: 77, in: 1...1 << 16)
    epsilon = try configuration.epsilon("layer_norm_eps", default: 1e-5)
    endOfText = Int32(try configuration.integer("eos_token_id", default: 49407, in: 0...1 << 24))
    let name = try configuration.string("hidden_act", default: "quick_gelu")
    guard let activation = Activation(transformersName: name) else {
      throw configuration.error("hidden_act", "names a function that is not built: \(name.prefix(40))")
    }
    self.activation = activation
    guard width % heads == 0 else {
      throw configuration.error("num_attention_heads", "must divide hidden_size, \(width)")
    }
  }
}
