import Tensors
import Testing

@testable import FeatureCaching

@Suite struct KMeansTests {
  private func line(_ values: Float...) -> Tensor { Tensor(values, shape: [values.count, 1]) }

  private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> Tensor {
    Tensor(RandomKey(seed: seed, purpose: .test).uniforms(0..<rows * columns), shape: [rows, columns])
  }

  @Test func anEmptyClusterJumpsToTheOriginAndMayWinTokensThere() {
    let result = KMeans(maximumIterations: 10)(line(0, 1, 10, 11), from: line(0, 0))
    #expect(result.clusters.labels == [1, 1, 0, 0])
    #expect(result.centroids == line(10.5, 0.5))
    #expect(result.iterations == 3)
  }

  @Test func aDuplicateCentroidLosesToTheLowerIndex() {
    let labels = KMeans.nearestCentroids(line(5, 6, 7), line(6, 6, 6))
    #expect(labels == [0, 0, 0])
  }

  @Test func aTokenHalfWayGoesToTheLowerIndex() {
    #expect(KMeans.nearestCentroids(line(1), line(0, 2)) == [0])
    #expect(KMeans.nearestCentroids(line(1), line(2, 0)) == [0])
  }

  @Test func anEmptyClusterStaysEmptyFarFromTheOrigin() {
    let result = KMeans(maximumIterations: 10)(line(20, 21, 30, 31), from: line(20, 20, 30))
    #expect(result.clusters.labels == [0, 0, 2, 2])
    #expect(result.centroids == line(20.5, 0, 30.5))
    #expect(result.clusters.count == 3)
  }

  @Test func distancesAreSumsOfAbsoluteDifferences() {
    // By squares the first centroid would be nearer: 2² + 2² < 0² + 3².
    let centroids = Tensor([2, 2, 0, 3], shape: [2, 2])
    #expect(KMeans.nearestCentroids(Tensor(zeros: [1, 2]), centroids) == [1])
  }

  @Test func centroidsThatMoveByATenthOfAThousandthStay() {
    let start = line(1.00001)
    let result = KMeans(maximumIterations: 10)(line(1, 1.0001), from: start)
    #expect(result.iterations == 1)
    #expect(result.centroids == start)
  }

  @Test func oneCentroidThatMovesIsEnoughToGoOn() {
    let result = KMeans(maximumIterations: 10)(line(1, 1, 8, 9), from: line(1, 8))
    #expect(result.iterations == 2)
    #expect(result.centroids == line(1, 8.5))
  }

  @Test func centroidsAreOneUpdateNewerThanLabelsWhenTheIterationsRunOut() {
    let result = KMeans(maximumIterations: 1)(line(0, 1, 10, 11), from: line(0, 0))
    #expect(result.clusters.labels == [0, 0, 0, 0])
    #expect(result.centroids == line(5.5, 0))
    #expect(result.iterations == 1)
  }

  @Test func labelsAreThoseOfThePlainRule() {
    let (x, centroids) = (random(300, 40, seed: 1), random(7, 40, seed: 2))
    let expected = (0..<x.rows).map { row -> Int32 in
      let distances = (0..<centroids.rows).map { cluster in
        (0..<x.columns).reduce(0.0) { $0 + Double(abs(x[row * 40 + $1] - centroids[cluster * 40 + $1])) }
      }
      return Int32(distances.indices.min { distances[$0] < distances[$1] } ?? 0)
    }
    #expect(KMeans.nearestCentroids(x, centroids) == expected)
  }

  @Test func centroidsAreMeansOfTheirTokens() {
    let x = random(300, 200, seed: 3)
    let result = KMeans(maximumIterations: 100)(x, from: x.rows(0..<5))
    for cluster in 0..<5 {
      let members = result.clusters.labels.indices.filter { result.clusters.labels[$0] == cluster }
      for column in stride(from: 0, to: 200, by: 37) {
        let mean = members.reduce(0.0) { $0 + Double(x[$1 * 200 + column]) } / Double(max(1, members.count))
        #expect(abs(Double(result.centroids[cluster * 200 + column]) - mean) < 2e-4)
      }
    }
  }
}
