import Tensors

extension TensorStore {
  /// What the decoder of the autoencoder in these files takes of memory for its weights, found out before they are loaded:
  /// ``AutoencoderKLDecoder/weightBytes`` or ``AutoencoderKLHunyuanVideoDecoder/weightBytes``, and the few of norms.
  public var decoderWeightBytes: Int {
    names.filter { $0.contains("decoder.") || $0.contains("post_quant_conv.") }.reduce(0) { sum, name in
      guard let stored = self[name] else { return sum }
      return sum
        + (stored.shape.count > 2
          ? ConvolutionWeights.byteCount(stored.shape) : stored.elementCount * MemoryLayout<Float>.stride)
    }
  }
}
