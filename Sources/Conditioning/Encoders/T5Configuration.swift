import Tensors

/// The architecture of a T5 encoder: the keys of transformers' `T5Config`.
public struct T5Configuration: Sendable {
  public var vocabulary: Int
  /// `d_model`
  public var width: Int
  /// `d_ff`
  public var mlpWidth: Int
  /// `d_kv`; heads times this need not be the width.
  public var headWidth: Int
  public var layers: Int
  public var heads: Int
  public var activation: Activation
  /// Whether a second linear map gates the MLP (T5 1.1) or none (the first T5).
  public var isGated: Bool
  public var epsilon: Float
  public var buckets: RelativePositionBuckets

  /// T5 1.1 XXL, for files that come without a configuration, such as `t5xxl_fp16.safetensors`.
  public static let t5XXL = T5Configuration(
    vocabulary: 32128, width: 4096, mlpWidth: 10240, headWidth: 64, layers: 24, heads: 64, activation: .geluTanh,
    isGated: true, epsilon: 1e-6, buckets: RelativePositionBuckets(count: 32, maximumDistance: 128))

  public init(
    vocabulary: Int, width: Int, mlpWidth: Int, headWidth: Int, layers: Int, heads: Int, activation: Activation,
    isGated: Bool, epsilon: Float, buckets: RelativePositionBuckets
  ) {
    self.vocabulary = vocabulary
    self.width = width
    self.mlpWidth = mlpWidth
    self.headWidth = headWidth
    self.layers = layers
    self.heads = heads
    self.activation = activation
    self.isGated = isGated
    self.epsilon = epsilon
    self.buckets = buckets
  }

  /// Reads a `config.json`; the defaults are those of transformers.
  ///
  /// - Throws: ``FileError`` that names file and key.
  public init(_ configuration: PartConfiguration) throws {
    // "umt5" has a table of positions in each block, which is another model.
    try configuration.require("model_type", "t5")
    vocabulary = try configuration.integer("vocab_size", default: 32128, in: 1...1 << 24)
    width = try configuration.integer("d_model", default: 512, in: 1...1 << 16)
    mlpWidth = try configuration.integer("d_ff", default: 2048, in: 1...1 << 18)
    headWidth = try configuration.integer("d_kv", default: 64, in: 1...1 << 12)
    layers = try configuration.integer("num_layers", default: 6, in: 1...1000)
    heads = try configuration.integer("num_heads", default: 8, in: 1...1024)
    epsilon = try configuration.epsilon("layer_norm_epsilon", default: 1e-6)
    let bucketCount = try configuration.integer("relative_attention_num_buckets", default: 32, in: 4...1 << 16)
    guard bucketCount % 4 == 0 else {
      throw configuration.error("relative_attention_num_buckets", "must be a multiple of 4")
    }
    buckets = RelativePositionBuckets(
      count: bucketCount,
      maximumDistance: try configuration.integer(
        "relative_attention_max_distance", default: 128, in: bucketCount / 4 + 1...1 << 24))

    // "gated-gelu" means the tanh approximation, although "gelu" alone is the exact one.
    let projection = try configuration.string("feed_forward_proj", default: "relu")
    let name = projection.hasPrefix("gated-") ? String(projection.dropFirst("gated-".count)) : projection
    let function = projection == "gated-gelu" ? "gelu_new" : name
    guard let activation = Activation(transformersName: function) else {
      throw configuration.error("feed_forward_proj", "names a function that is not built: \(projection.prefix(40))")
    }
    self.activation = activation
    isGated = name != projection
  }

  /// The bytes that encoding a prompt takes beside the weights: the bias of attention, and the widest moment of a block,
  /// which is its MLP.
  public func activationBytes(tokens: Int) -> Int {
    let bias = heads * tokens * tokens
    let hidden = tokens * (3 * width + 2 * mlpWidth + 4 * heads * headWidth)
    return (bias + hidden) * MemoryLayout<Float>.stride
  }
}
