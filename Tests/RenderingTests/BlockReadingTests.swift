import Testing

@testable import Rendering

/// Which blocks are read from the disk and given back, and when.
@Suite struct BlockReadingTests {
  /// A step's advice, such as `1: +2 -0`.
  private func step(_ reading: inout BlockReading, _ blocks: Range<Int>, isFull: Bool = true) -> [String] {
    func text(_ advices: [BlockReading.Advice]) -> String {
      advices.map { ($0.kind == .read ? " +" : " -") + "\($0.block)" }.joined()
    }
    return blocks.map { "\($0):" + text(reading.before($0, isFull: isFull)) } + ["end:" + text(reading.afterStep())]
  }

  @Test func theFirstBlocksStayAndTheOthersComeOneAheadAndGo() {
    var reading = BlockReading(blocks: 0..<5, residentBlocks: 2)
    // What stays is read once; the first of the others is on its way while the resident ones compute.
    #expect(step(&reading, 0..<5) == ["0: +0 +2 +1", "1:", "2: +3", "3: -2 +4", "4: -3", "end: -4"])
    #expect(step(&reading, 0..<5) == ["0: +2", "1:", "2: +3", "3: -2 +4", "4: -3", "end: -4"])
  }

  @Test func atACachedStepNothingIsReadAheadAndWhatWasTouchedGoes() {
    var reading = BlockReading(blocks: 0..<4, residentBlocks: 1)
    _ = step(&reading, 0..<4)
    #expect(step(&reading, 0..<4, isFull: false) == ["0:", "1:", "2: -1", "3: -2", "end: -3"])
  }

  @Test func withoutRoomForOneTwoBlocksAreThereAtATime() {
    var reading = BlockReading(blocks: 0..<3, residentBlocks: 0)
    for _ in 0..<2 { #expect(step(&reading, 0..<3) == ["0: +0 +1", "1: -0 +2", "2: -1", "end: -2"]) }
  }

  @Test func whereAllStayEachIsReadAheadOnceAndNoneGoes() {
    var reading = BlockReading(blocks: 3..<6)
    #expect(step(&reading, 3..<6) == ["3: +3 +4", "4: +5", "5:", "end:"])
    #expect(step(&reading, 3..<6) == ["3:", "4:", "5:", "end:"])
  }

  @Test func whatAStepThatWasGivenUpHasReadGoesAtTheNext() {
    var reading = BlockReading(blocks: 0..<6, residentBlocks: 1)
    for block in 0..<4 { _ = reading.before(block, isFull: true) }
    #expect(step(&reading, 0..<1)[0] == "0: -3 -4 +1")
  }

  @Test func theMostBlocksThatFitStay() throws {
    let model = try RenderModels.open(.folder(ModelDigestTests.checkpoints + "dit-tiny"))
    var estimate = MemoryEstimate(model, [], precision: .bfloat16)
    estimate.transformer = 1_000_000_000
    let blocks = [Int](repeating: 100_000_000, count: 8)
    let rest = estimate.peak - 1_000_000_000
    #expect(estimate.residentBlocks(of: blocks, available: rest + 1_000_000_000) == 7)
    // Two blocks have room beside those that stay.
    #expect(estimate.residentBlocks(of: blocks, available: rest + 700_000_000) == 3)
    #expect(estimate.keeping(3, of: blocks).peak == rest + 700_000_000)
    #expect(estimate.residentBlocks(of: blocks, available: rest + 400_000_000) == 0)
    #expect(estimate.residentBlocks(of: blocks, available: rest + 399_999_999) == nil)
    #expect(estimate.leftForTransformer(available: rest + 5) == 5)
    // Encoders that do not fit are no reason to read blocks.
    estimate.textEncoders = 2_000_000_000
    #expect(estimate.residentBlocks(of: blocks, available: rest + 1_000_000_000) == nil)
  }
}
