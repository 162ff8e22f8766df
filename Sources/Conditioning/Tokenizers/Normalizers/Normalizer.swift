/// Changes text before it is split: a component of the `normalizer` of a tokenizer.json.
protocol Normalizer: Sendable {
  /// The changed text, both in valid UTF-8.
  func normalize(_ text: [UInt8]) -> [UInt8]

  /// How many times longer the text can become at most, beyond a few hundred bytes.
  var growth: Int { get }
}

extension Normalizer {
  var growth: Int { 1 }
}

/// Several normalizers, each on the result of the one before.
struct NormalizerSequence: Normalizer {
  let normalizers: [any Normalizer]

  func normalize(_ text: [UInt8]) -> [UInt8] {
    normalizers.reduce(text) { text, normalizer in normalizer.normalize(text) }
  }

  var growth: Int { normalizers.reduce(1) { min($0 * $1.growth, 1 << 20) } }
}

extension NormalizationForm: Normalizer {
  /// https://www.unicode.org/faq/normalization.html, "What are the maximum expansion factors".
  var growth: Int {
    switch self {
    case .canonicalDecomposition, .canonicalComposition: 3
    case .compatibilityDecomposition, .compatibilityComposition: 11
    }
  }
}
