import Tensors

/// Attention among the pixels of a video that sees no later frame (diffusers: `prepare_causal_attention_mask`).
package enum FrameMask {
  /// What is added to the scores, `[tokens, tokens]`: 0 for the pixels of a frame and of those before it, −∞ for later
  /// ones. Tokens are pixels, frame after frame.
  package static func bias(frames: Int, pixelsPerFrame: Int) -> Tensor {
    let tokens = frames * pixelsPerFrame
    var bias = Tensor(repeating: -.infinity, shape: [tokens, tokens])
    bias.withUnsafeMutableElements { bias in
      for query in 0..<tokens {
        let visible = visibleTokens(query: query, pixelsPerFrame: pixelsPerFrame)
        for key in 0..<visible { bias[query * tokens + key] = 0 }
      }
    }
    return bias
  }

  /// How many tokens, from the first on, a token sees.
  package static func visibleTokens(query: Int, pixelsPerFrame: Int) -> Int {
    (query / pixelsPerFrame + 1) * pixelsPerFrame
  }
}
