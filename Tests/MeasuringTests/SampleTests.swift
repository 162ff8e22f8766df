import Measuring
import Testing

@Suite struct SampleTests {
  @Test func meanAndStandardErrorAreThoseOfStatistics() {
    let sample = Sample(values: [2, 4, 4, 4, 5, 5, 7, 9])
    #expect(sample.mean == 5 && sample.minimum == 2 && sample.median == 4.5)
    // The sum of squares is 32.
    #expect(abs(sample.standardError - (32.0 / 7 / 8).squareRoot()) < 1e-12)
  }

  @Test func ofOneValueThereIsNoErrorAndOfNoneNoMean() {
    #expect(Sample(values: [3]).standardError.isNaN && Sample(values: [3]).mean == 3)
    #expect(Sample().mean.isNaN && Sample().median.isNaN && Sample().minimum.isNaN)
  }

  @Test func differencesAndRatiosAreValueByValue() {
    let (left, right) = (Sample(values: [6, 8]), Sample(values: [3, 2]))
    #expect(left.difference(to: right).values == [3, 6] && left.ratio(to: right).values == [2, 4])
  }
}
