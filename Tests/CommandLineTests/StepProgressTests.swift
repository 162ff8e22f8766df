import Testing

@testable import clusca

struct StepProgressTests {
  private func progress(_ kinds: [String], secondsAStep: Double, of steps: Int, picture: Int = 1, pictures: Int = 1)
    -> StepProgress
  {
    var progress = StepProgress(picture: picture, pictures: pictures, steps: steps)
    for (index, kind) in kinds.enumerated() {
      progress.finishStep(kind: kind, elapsed: .seconds(secondsAStep * Double(index + 1)))
    }
    return progress
  }

  @Test func theLineTellsStepsTimesAndKinds() {
    let kinds = ["full", "cached", "cached", "full", "cached"]
    let line = progress(kinds, secondsAStep: 7.2, of: 20, picture: 2, pictures: 4).line(columns: 100, unicode: false)
    #expect(line.hasPrefix("picture 2/4:  25%|#"))
    #expect(line.hasSuffix("| 5/20 [00:36<01:48, 7.20s/it, 2 full, 3 cached]"))
    #expect(line.count <= 100)
  }

  @Test func fastStepsAreCountedASecond() {
    let line = progress(["full", "full"], secondsAStep: 0.02, of: 4).line(columns: 80, unicode: true)
    #expect(line.contains("50.00it/s"))
    #expect(line.contains("█"))
  }

  @Test func noLineIsWiderThanTheTerminal() {
    let busy = progress(["full", "cached", "full"], secondsAStep: 4000, of: 1000, picture: 123, pictures: 1000)
    var phase = busy
    phase.phase = "decoding"
    let begun = StepProgress(steps: 28)
    for columns in 0...200 {
      for unicode in [false, true] {
        for progress in [busy, begun, phase] {
          #expect(progress.line(columns: columns, unicode: unicode).unicodeScalars.count <= columns)
        }
      }
    }
  }

  @Test func theBarIsFullAtTheEnd() {
    let line = progress(["full", "full"], secondsAStep: 1, of: 2).line(columns: 60, unicode: true)
    #expect(line.hasPrefix("100%|█"))
    #expect(!line.contains(" |"))
  }

  @Test func longTimesHaveHours() {
    #expect(StepProgress.clock(59.6) == "01:00")
    #expect(StepProgress.clock(3725) == "1:02:05")
  }

  @Test func numbersForPeople() {
    #expect(DecimalText.fixed(3.14159, digits: 2) == "3.14")
    #expect(DecimalText.fixed(-0.001, digits: 2) == "0.00")
    #expect(DecimalText.fixed(0.05, digits: 1) == "0.1")
    #expect(DecimalText.fixed(.infinity, digits: 1) == "inf")
    #expect(DecimalText.grouped(-1_234_567) == "-1,234,567")
    #expect(ByteCount(999).description == "999 bytes")
    #expect(ByteCount(999_960).description == "1.0 MB")
    #expect(ByteCount(23_800_000_000).description == "23.8 GB")
  }
}
