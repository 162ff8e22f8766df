import Tensors
import Testing

@testable import FeatureCaching

@Suite struct RefreshedOutputTests {
  private let kept = Tensor([10, 20, 30, 40, 50], shape: [5, 1])
  private let labels: [Int32] = [0, 0, 1, 1, 1]

  private func refreshed(
    _ tokens: [Int], _ outputs: [Float], clusters: Int = 2, propagation: Float = 0.1, summing: Bool = false
  ) -> [Float] {
    var refreshed = RefreshedOutput(labels: labels, width: 1)
    refreshed.refresh(
      tokens, with: Tensor(outputs, shape: [outputs.count, 1]), of: FeatureTensor(kept),
      clusters: TokenClusters(labels: labels, count: clusters), propagation: propagation, summing: summing)
    var result = kept
    refreshed.write(into: &result)
    return result.elements
  }

  private func expectNear(_ values: [Float], _ expected: [Float]) {
    #expect(values.count == expected.count)
    for (value, reference) in zip(values, expected) { #expect(abs(value - reference) <= 1e-5 * abs(reference)) }
  }

  @Test func tokensMoveTowardsTheFreshOneOfTheirCluster() {
    expectNear(refreshed([1, 4], [100, 200]), [19, 100, 47, 56, 200])
    #expect(refreshed([1, 4], [100, 200]) == refreshed([1, 4], [100, 200], summing: true))
  }

  @Test func theSumOfSeveralFreshTokensIsPropagatedAsInTheAuthorsCode() {
    expectNear(refreshed([1, 4, 0], [100, 200, 7], clusters: 3, summing: true), [17, 100.7, 47, 56, 200])
  }

  @Test func theMeanOfSeveralFreshTokensIsPropagatedByDefault() {
    expectNear(refreshed([1, 4, 0], [100, 200, 7], clusters: 3), [11.65, 95.35, 47, 56, 200])
  }

  @Test func withoutPropagationOnlyFreshTokensChange() {
    #expect(refreshed([1, 4], [100, 200], propagation: 0) == [10, 100, 30, 40, 200])
  }

  @Test func fullPropagationGivesAllTokensOfAClusterTheFreshOutput() {
    #expect(refreshed([1, 4], [100, 200], propagation: 1) == [100, 100, 200, 200, 200])
  }

  @Test func aClusterWithoutFreshTokenStaysAsItIs() {
    expectNear(refreshed([1], [100]), [19, 100, 30, 40, 50])
  }

  /// Several refreshes, one after the other, against what they do to the output itself.
  @Test(arguments: [0, 0.1, 0.5] as [Float], FeaturePrecision.allCases)
  func manyRefreshesAreThoseOfTheOutputItself(propagation: Float, precision: FeaturePrecision) {
    let (tokens, width, clusters) = (40, 24, 5)
    let key = RandomKey(seed: 3, purpose: .test)
    let kept = FeatureTensor(Tensor(key.uniforms(0..<tokens * width), shape: [tokens, width]), in: precision)
    let output = kept.widened
    // Cluster 4 has tokens, but no fresh ones at the second refresh.
    let labels = (0..<tokens).map { Int32($0 % clusters) }
    let fresh = [[0, 1, 7, 13, 9], [10, 6, 2, 18, 10], [0, 11, 12, 23, 4]]
    var refreshed = RefreshedOutput(labels: labels, width: width)
    var expected = output.elements.map(Double.init)
    for (round, tokens) in fresh.enumerated() {
      let outputs = Tensor(
        key.uniforms(1000 * (round + 1)..<1000 * (round + 1) + tokens.count * width), shape: [tokens.count, width])
      refreshed.refresh(
        tokens, with: outputs, of: kept, clusters: TokenClusters(labels: labels, count: clusters),
        propagation: propagation, summing: false)
      for (place, token) in tokens.enumerated() {
        for column in 0..<width { expected[token * width + column] = Double(outputs[place * width + column]) }
      }
      for (token, label) in labels.enumerated() where propagation > 0 {
        let ofCluster = tokens.indices.filter { labels[tokens[$0]] == label }
        guard !ofCluster.isEmpty else { continue }
        for column in 0..<width {
          let mean = ofCluster.reduce(0.0) { $0 + Double(outputs[$1 * width + column]) } / Double(ofCluster.count)
          let at = token * width + column
          expected[at] = Double(propagation) * mean + (1 - Double(propagation)) * expected[at]
        }
      }
    }
    var result = output
    refreshed.write(into: &result)
    for (value, expected) in zip(result.elements, expected) { #expect(abs(Double(value) - expected) < 1e-6) }
    // It is as small as promised: of clusters and tokens that were fresh, or that others moved without.
    #expect(refreshed.change.tokens.count <= 15 + tokens / clusters)
  }
}
