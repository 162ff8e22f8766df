import Tensors
import Testing

@testable import FeatureCaching

@Suite struct PropagationTests {
  private let kept = Tensor([10, 20, 30, 40, 50], shape: [5, 1])
  private let labels: [Int32] = [0, 0, 1, 1, 1]

  private func refreshed(
    _ tokens: [Int], _ outputs: [Float], clusters: Int = 2, propagation: Float = 0.1, summing: Bool = false
  ) -> [Float] {
    var result = kept
    result.refresh(
      tokens, with: Tensor(outputs, shape: [outputs.count, 1]),
      clusters: TokenClusters(labels: labels, count: clusters), propagation: propagation, summing: summing)
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
}
