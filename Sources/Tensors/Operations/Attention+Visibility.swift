extension Attention {
  /// Which keys a query sees.
  public enum Visibility: Sendable {
    case all
    /// Its own and earlier ones.
    case causal
    /// The first so many.
    case first(Int)
    /// Its own and earlier ones, of the first so many: a prompt with padding behind it.
    case causalAmongFirst(Int)
    /// The first so many see one another; the others see the first key alone, so that they have something to see.
    case amongFirst(Int)
    /// Those of its own group of so many and of earlier groups: the pixels of a video, frame after frame.
    case causalGroups(of: Int)
  }
}

/// Queries one after the other that see `firstVisible` keys, and each `step` more than the one before.
struct VisibleRun: Equatable {
  var queries: Range<Int>
  var firstVisible: Int
  var step: Int
}

extension Attention.Visibility {
  /// What some of the queries see of so many tokens.
  func runs(_ queries: Range<Int>, of tokens: Int) -> [VisibleRun] {
    switch self {
    case .all: return [VisibleRun(queries: queries, firstVisible: tokens, step: 0)]
    case .causal: return [VisibleRun(queries: queries, firstVisible: queries.lowerBound + 1, step: 1)]
    case .first(let count): return [VisibleRun(queries: queries, firstVisible: min(count, tokens), step: 0)]
    case .causalAmongFirst(let count):
      return Self.split(queries, at: count) { part in
        VisibleRun(queries: part, firstVisible: part.lowerBound + 1, step: 1)
      } behind: { part in
        VisibleRun(queries: part, firstVisible: count, step: 0)
      }
    case .amongFirst(let count):
      return Self.split(queries, at: count) { part in
        VisibleRun(queries: part, firstVisible: count, step: 0)
      } behind: { part in
        VisibleRun(queries: part, firstVisible: 1, step: 0)
      }
    case .causalGroups(let size):
      var runs: [VisibleRun] = []
      var next = queries.lowerBound
      while next < queries.upperBound {
        let end = (next / size + 1) * size
        runs.append(
          VisibleRun(queries: next..<min(end, queries.upperBound), firstVisible: min(end, tokens), step: 0))
        next = end
      }
      return runs
    }
  }

  /// The same as what is added to the scores, `[tokens, tokens]`: 0 for what is seen, −∞ for the rest.
  package func bias(tokens: Int) -> Tensor {
    var bias = Tensor(repeating: -.infinity, shape: [tokens, tokens])
    for run in runs(0..<tokens, of: tokens) {
      for (place, query) in run.queries.enumerated() {
        for key in 0..<min(tokens, run.firstVisible + place * run.step) { bias[query * tokens + key] = 0 }
      }
    }
    return bias
  }

  private static func split(
    _ queries: Range<Int>, at place: Int, before: (Range<Int>) -> VisibleRun, behind: (Range<Int>) -> VisibleRun
  ) -> [VisibleRun] {
    let place = min(max(place, queries.lowerBound), queries.upperBound)
    var runs: [VisibleRun] = []
    if queries.lowerBound < place { runs.append(before(queries.lowerBound..<place)) }
    if place < queries.upperBound { runs.append(behind(place..<queries.upperBound)) }
    return runs
  }
}
