import Tensors

/// Single operations of torch, diffusers and transformers, with the types that this program's models are made of.
enum OperationsCase: CaseRunner {
  static let kinds: Set<String> = ["single operations"]

  static func run(_ comparison: GoldenComparison) async throws {
    try EmbeddingOperations.run(comparison)
    try NormalizationOperations.run(comparison)
    try PictureOperations.run(comparison)
    try VideoOperations.run(comparison)
  }

  private static let inputs: Set<String> = [
    "temb.t", "rope.apply.x", "act.x", "norm.x", "norm.emb", "norm.emb30", "small.x", "small.img", "img.x", "vid.x",
    "flux_pack.latents", "pixels.in",
  ]

  static func isInput(_ name: String) -> Bool { name.contains(".param.") || inputs.contains(name) }
}

extension GoldenComparison {
  /// The parameters that were recorded for an operation.
  func parameters(_ operation: String) -> Parameters {
    Parameters(recorded, prefix: "\(operation).param.", precision: .float32)
  }

  /// The numbers in a name such as `sincos2d.dim48.grid6` behind these words; nil if it is none of that kind.
  static func numbers(in name: String, _ words: [String]) -> [Int]? {
    let fields = name.split(separator: ".").map(String.init)
    guard fields.count == words.count else { return nil }
    var numbers: [Int] = []
    for (field, word) in zip(fields, words) {
      guard field.hasPrefix(word) else { return nil }
      let rest = field.dropFirst(word.count)
      if rest.isEmpty { continue }
      guard let number = Int(rest), number >= 0 else { return nil }
      numbers.append(number)
    }
    return numbers
  }
}
