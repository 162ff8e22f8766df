import CKernels

/// The keys and values of all heads in bfloat16, in the order in which the kernel reads them.
struct PackedKeysAndValues {
  private let attention: Attention
  private let tokens: Int
  private let keys: AlignedStorage<UInt16>
  private let values: AlignedStorage<UInt16>
  private let keysPerHead: Int
  private let valuesPerHead: Int

  /// - Returns: nil if this attention is one of float32, or this CPU or the width of its heads leave no other.
  init?(_ qkv: Tensor, of attention: Attention) {
    guard attention.precision != .float32, let packKeys = kernels.pack_keys, let packValues = kernels.pack_values,
      attention.headWidth % 2 == 0, attention.headWidth <= Int(CLUSCA_ATTENTION_DIMENSIONS)
    else { return nil }
    let (panel, tokens, headWidth) = (Int(CLUSCA_PANEL), qkv.rows, attention.headWidth)
    func panels(_ count: Int) -> Int { (count + panel - 1) / panel }
    let (keysPerHead, valuesPerHead) = (
      panels(tokens) * panel * headWidth, panels(headWidth) * panel * ((tokens + 1) / 2 * 2)
    )
    let keys = AlignedStorage<UInt16>(count: attention.keyValueHeads * keysPerHead)
    let values = AlignedStorage<UInt16>(count: attention.keyValueHeads * valuesPerHead)
    let stride = qkv.columns
    qkv.withUnsafeElements { qkv in
      guard let qkv = qkv.baseAddress else { return }
      let firstKey = qkv + attention.heads * headWidth
      let firstValue = firstKey + attention.keyValueHeads * headWidth
      ThreadPool.shared.forEach(attention.keyValueHeads) { head in
        packKeys(
          firstKey + head * headWidth, stride, tokens, headWidth, keys.start + head * keysPerHead)
        packValues(
          firstValue + head * headWidth, stride, tokens, headWidth, values.start + head * valuesPerHead)
      }
    }
    self.attention = attention
    self.tokens = tokens
    self.keys = keys
    self.values = values
    self.keysPerHead = keysPerHead
    self.valuesPerHead = valuesPerHead
  }

  /// Attention of the queries of the same `[tokens, …]` matrix, into the first columns of the result.
  func attend(_ qkv: Tensor, _ visibility: Attention.Visibility, to result: inout Tensor) {
    guard let attend = kernels.attend_bfloat16 else { preconditionFailure("nobody packs without that kernel") }
    let (headWidth, group) = (attention.headWidth, attention.heads / attention.keyValueHeads)
    let (stride, outStride) = (qkv.columns, result.columns)
    let queriesPerPiece = Int(CLUSCA_ATTENTION_QUERIES)
    let blocks = (tokens + queriesPerPiece - 1) / queriesPerPiece
    qkv.withUnsafeElements { qkv in
      result.withUnsafeMutableElements { result in
        guard let qkv = qkv.baseAddress, let out = result.baseAddress else { return }
        ThreadPool.shared.forEach(attention.heads * blocks) { piece in
          let (head, first) = (piece / blocks, piece % blocks * queriesPerPiece)
          let column = head * headWidth
          for run in visibility.runs(first..<min(tokens, first + queriesPerPiece), of: tokens) {
            let row = run.queries.lowerBound
            attend(
              qkv + row * stride + column, stride, run.queries.count, headWidth,
              keys.start + head / group * keysPerHead,
              values.start + head / group * valuesPerHead, tokens, attention.scale, run.firstVisible,
              run.step, out + row * outStride + column, outStride)
          }
        }
      }
    }
    withExtendedLifetime((keys, values)) {}
  }
}
