import Tensors

/// The random numbers of torch's generator for CPUs; every name says how its tensor was drawn.
enum RandomNumbersCase: CaseRunner {
  static let kinds: Set<String> = ["torch CPU RNG"]

  static func run(_ comparison: GoldenComparison) async throws {
    var draws: [RandomDraw] = []
    for name in comparison.recorded.names.sorted() {
      guard let draw = RandomDraw(name) else {
        comparison.fail("\(name) does not say how it was drawn")
        continue
      }
      draws.append(draw)
    }
    for draw in draws where draw.part != .continuation {
      var generator = TorchGenerator(seed: draw.seed)
      let values = draw.part.of(draw.numbers(&generator))
      comparison.check(draw.name, values)
      if draw.function == .rand { try requireEqual(draw.name, values, comparison) }
    }
    for (seed, continuations) in Dictionary(grouping: draws.filter { $0.part == .continuation }, by: \.seed) {
      guard let first = draws.first(where: { $0.seed == seed && $0.part.isOfLargerDraw }) else {
        for draw in continuations { comparison.fail("\(draw.name) carries on from a draw that was not recorded") }
        continue
      }
      var generator = TorchGenerator(seed: seed)
      _ = first.numbers(&generator)
      // The file sorts its tensors by name; they were drawn the longest first.
      for draw in continuations.sorted(by: { $0.count > $1.count }) {
        comparison.check(draw.name, draw.numbers(&generator))
      }
    }
  }

  static func isInput(_ name: String) -> Bool { false }

  /// Uniform numbers are words of the generator times a power of two: there is nothing to round differently.
  private static func requireEqual(_ name: String, _ values: [Double], _ comparison: GoldenComparison) throws {
    let recorded = try comparison.recorded.tensor(name).float32Values()
    if values != recorded.map(Double.init) { comparison.fail("\(name) is not equal bit for bit") }
  }
}
