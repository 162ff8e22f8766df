import FeatureCaching
import Testing

@Suite struct IntervalScheduleTests {
  private func fullSteps(_ interval: Int, _ enhanced: Int, of steps: Int = 50) -> [Int] {
    let schedule = IntervalSchedule(interval: interval, enhancedSteps: enhanced)
    return (0..<steps).filter { schedule.kind(ofStep: $0).isFull }
  }

  @Test func fullStepsAreThoseOfTheAuthorsCode() {
    // DiT: two steps at the beginning.
    #expect(fullSteps(5, 2) == [0, 1, 6, 11, 16, 21, 26, 31, 36, 41, 46])
    #expect(fullSteps(4, 2) == [0, 1, 5, 9, 13, 17, 21, 25, 29, 33, 37, 41, 45, 49])
    #expect(fullSteps(3, 2).count == 18)
    #expect(fullSteps(6, 2).count == 10)
    // FLUX: three.
    #expect(fullSteps(5, 3) == [0, 1, 2, 7, 12, 17, 22, 27, 32, 37, 42, 47])
    #expect(fullSteps(4, 3) == [0, 1, 2, 6, 10, 14, 18, 22, 26, 30, 34, 38, 42, 46])
    #expect(fullSteps(6, 3) == [0, 1, 2, 8, 14, 20, 26, 32, 38, 44])
    #expect(fullSteps(7, 3).count == 9)
    // HunyuanVideo: one.
    #expect(fullSteps(5, 1) == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45])
    #expect(fullSteps(6, 1) == [0, 6, 12, 18, 24, 30, 36, 42, 48])
    #expect(fullSteps(7, 1).count == 8)
  }

  @Test(arguments: 1...9, 1...4)
  func theCountThatTheAuthorsKeepGivesTheSameSteps(interval: Int, enhanced: Int) {
    let schedule = IntervalSchedule(interval: interval, enhancedSteps: enhanced)
    var (count, lastFull) = (0, 0)
    for step in 0..<60 {
      if step < enhanced || count == interval - 1 {
        (count, lastFull) = (0, step)
        #expect(schedule.kind(ofStep: step) == .full)
      } else {
        count += 1
        #expect(schedule.kind(ofStep: step) == .cached(distance: step - lastFull))
      }
    }
  }

  @Test func anIntervalOfOneMakesEveryStepFull() {
    #expect(fullSteps(1, 1, of: 9) == Array(0..<9))
  }
}
