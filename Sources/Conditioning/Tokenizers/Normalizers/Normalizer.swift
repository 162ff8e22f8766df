/// Changes text before it is split: a component of the `normalizer` of a tokenizer.json.
protocol Normalizer: Sendable {
  /// The changed text, both in valid UTF-8.
  func normalize(_ text: [UInt8]) -> [UInt8]
}

/// Several normalizers, each on the result of the one before.
struct NormalizerSequence: Normalizer {
  let normalizers: [any Normalizer]

  func normalize(_ text: [UInt8]) -> [UInt8] {
    normalizers.reduce(text) { text, normalizer in normalizer.normalize(text) }
  }
}

extension NormalizationForm: Normalizer {}
