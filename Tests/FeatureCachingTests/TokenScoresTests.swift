import Tensors
import Testing

@testable import FeatureCaching

/// Which tokens ToCa computes anew.
@Suite struct TokenScoresTests {
  private func scores(_ received: [Float]) -> TokenScores { TokenScores(Tensor(received, shape: [received.count])) }

  @Test func theTokensThatGotMostAttentionAreChosen() {
    var scores = scores([0.1, 3, 0.5, 2])
    #expect(scores.choose(2, ageWeight: 0, bonus: 0, columns: nil) == [1, 3])
    #expect(scores.choose(3, ageWeight: 0, bonus: 0, columns: nil) == [1, 2, 3])
    #expect(scores.choose(0, ageWeight: 0, bonus: 0, columns: nil) == [])
    #expect(scores.choose(9, ageWeight: 0, bonus: 0, columns: nil) == [0, 1, 2, 3])
  }

  @Test func ofEqualOnesTheFirstAre() {
    #expect(TokenScores.largest(2, of: [1, 2, 2, 2]) == [1, 2])
  }

  @Test func tokensThatWaitAreChosenInTheEnd() {
    // Of length 1: 0.6 and 0.8.
    var scores = scores([3, 4])
    #expect(scores.choose(1, ageWeight: 0.15, bonus: 0, columns: nil) == [1])
    #expect(scores.choose(1, ageWeight: 0.15, bonus: 0, columns: nil) == [1])
    // 0.6 + 2 · 0.15 > 0.8, and then it begins anew.
    #expect(scores.choose(1, ageWeight: 0.15, bonus: 0, columns: nil) == [0])
    #expect(scores.choose(1, ageWeight: 0.15, bonus: 0, columns: nil) == [1])
  }

  @Test func theBestOfASquareIsFavoured() {
    // Two squares: the left one has the three largest, the right one is nearly as good.
    var scores = scores([5, 6, 4.5, 1, 5.5, 1, 1, 1])
    #expect(scores.choose(2, ageWeight: 0, bonus: 0, columns: 4) == [1, 4])
    #expect(scores.choose(2, ageWeight: 0, bonus: 0.6, columns: 4) == [1, 2])
    // A row too few and a column too many make smaller squares.
    var edge = self.scores([1, 2, 3])
    #expect(edge.choose(1, ageWeight: 0, bonus: 0.6, columns: 3) == [2])
  }

  @Test func theSharesAreThoseOfTheAuthorsCode() {
    let dit = BlockLayout(blocks: 28, splitBlocks: 28)
    func tokens(_ share: FreshShare, _ branch: Branch, _ layout: BlockLayout, step: Int) -> Int {
      share.tokens(branch, of: 1000, layout: layout, step: step, steps: 50)
    }
    let towardsTheEnd = FreshShare.towardsTheEnd(0.07)
    // 0.07 · (3 - 4 · 49 / 50) · 0.8 · 2.5 is below 0; at the end 0.07 · 3 · 1.2 · 2.5 = 0.63.
    #expect(tokens(towardsTheEnd, Branch(0, .image, .mlp), dit, step: 0) == 0)
    #expect(tokens(towardsTheEnd, Branch(27, .image, .mlp), dit, step: 49) == 630)
    #expect(
      tokens(towardsTheEnd, Branch(0, .image, .mlp), dit, step: 24)
        == Int(0.07 * (3 - 4 * 25.0 / 50) * 0.8 * 2.5 * 1000))
    #expect(tokens(towardsTheEnd, Branch(3, .image, .attention), dit, step: 49) == 0)
    let flux = BlockLayout(blocks: 57, splitBlocks: 19)
    let towardsTheFront = FreshShare.towardsTheFront(0.1)
    #expect(tokens(towardsTheFront, Branch(0, .text, .mlp), flux, step: 5) == 60)
    #expect(
      tokens(towardsTheFront, Branch(18, .image, .mlp), flux, step: 5) == Int(0.1 * (1.5 - 18.0 / 27) * 0.4 * 1000))
    #expect(tokens(towardsTheFront, Branch(19, .joint, .whole), flux, step: 5) == 240)
    #expect(tokens(.even(0.1), Branch(40, .joint, .whole), flux, step: 5) == 100)
  }
}
