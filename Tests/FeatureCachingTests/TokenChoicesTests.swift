import FeatureCaching
import Testing

@Suite struct TokenChoicesTests {
  private let clusters = TokenClusters(labels: [0, 1, 0, 1, 3, 0, 3], count: 4)

  @Test func theHeaviestTokenOfEachClusterIsTaken() {
    #expect(TokenClusters(labels: [0, 1, 0, 1], count: 2).heaviestTokens([0.2, 0.9, 0.7, 0.1]) == [2, 1])
  }

  @Test func theFirstOfEquallyHeavyTokensIsTaken() {
    #expect(TokenClusters(labels: [1, 0, 1, 0], count: 2).heaviestTokens([0.5, 0, 0.5, 0]) == [1, 0])
  }

  @Test func anEmptyClusterHasNoToken() {
    #expect(TokenClusters(labels: [2, 0], count: 3).heaviestTokens([0.5, 0.5]) == [1, nil, 0])
  }

  @Test func eachClusterGivesOneOfItsTokens() {
    for step in 0..<50 {
      let chosen = KeyedChoices(seed: 7).freshTokens(step: step, branch: Branch(3, .image, .mlp), clusters: clusters)
      #expect(chosen.count == 4)
      #expect(chosen[2] == nil)
      for cluster in [0, 1, 3] {
        #expect(chosen[cluster].map { clusters.labels[$0] } == Int32(cluster))
      }
    }
  }

  @Test func everyTokenOfAClusterIsEquallyLikely() {
    let labels = (0..<12).map { Int32($0 % 2) }
    var counts = [Int](repeating: 0, count: 12)
    let steps = 6000
    for step in 0..<steps {
      let chosen = KeyedChoices(seed: 1).freshTokens(
        step: step, branch: Branch(0, .text, .mlp), clusters: TokenClusters(labels: labels, count: 2))
      for token in chosen.compactMap({ $0 }) { counts[token] += 1 }
    }
    // χ² with ten degrees of freedom; 35 is passed once in ten thousand seeds.
    let expected = Double(steps) / 6
    let squares = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    #expect(squares < 35)
  }

  @Test func choicesDoNotDependOnWhatWasChosenBefore() {
    let branches = (0..<6).flatMap { [Branch($0, .image, .mlp), Branch($0, .text, .mlp)] }
    func choose(_ order: [Branch]) -> [Branch: [Int?]] {
      let choices = KeyedChoices(seed: 9)
      return Dictionary(
        uniqueKeysWithValues: order.map { ($0, choices.freshTokens(step: 4, branch: $0, clusters: clusters)) })
    }
    #expect(choose(branches) == choose(branches.reversed()))
  }

  @Test func seedRowStepBlockAndStreamEachChangeTheChoice() {
    let many = TokenClusters(labels: (0..<400).map { Int32($0 % 8) }, count: 8)
    let all: [[Int?]] = [
      KeyedChoices(seed: 1).freshTokens(step: 4, branch: Branch(2, .image, .mlp), clusters: many),
      KeyedChoices(seed: 2).freshTokens(step: 4, branch: Branch(2, .image, .mlp), clusters: many),
      KeyedChoices(seed: 1, row: 1).freshTokens(step: 4, branch: Branch(2, .image, .mlp), clusters: many),
      KeyedChoices(seed: 1).freshTokens(step: 5, branch: Branch(2, .image, .mlp), clusters: many),
      KeyedChoices(seed: 1).freshTokens(step: 4, branch: Branch(3, .image, .mlp), clusters: many),
      KeyedChoices(seed: 1).freshTokens(step: 4, branch: Branch(2, .text, .mlp), clusters: many),
    ]
    #expect(Set(all).count == all.count)
  }

  @Test func firstCentroidsAreTokensDrawnWithRepetition() {
    let choices = KeyedChoices(seed: 3)
    let drawn = choices.initialCentroids(64, of: 16, stream: .image)
    #expect(drawn.count == 64 && drawn.allSatisfy { (0..<16).contains($0) })
    #expect(Set(drawn).count > 8)
    #expect(drawn == choices.initialCentroids(64, of: 16, stream: .image))
    #expect(drawn != choices.initialCentroids(64, of: 16, stream: .text))
  }
}
