import Tensors
import Testing

@Suite struct BFloat16TensorTests {
  @Test func numbersAreTheNearestAndStayWhatTheyAre() {
    let tensor = Tensor([1, -2.5, 0, 1.00390625, 1.01171875, 3.2e38, 1.001], shape: [7])
    let narrow = BFloat16Tensor(rounding: tensor)
    // Halfway between two numbers it is the even one.
    #expect(narrow.widened.elements == [1, -2.5, 0, 1, 1.015625, 241 * 0x1p120, 1])
    #expect(BFloat16Tensor(rounding: narrow.widened) == narrow)
    #expect(narrow.shape == [7] && narrow.count == 7 && narrow.byteCount == 14)
  }

  @Test func aCopyIsChangedByItself() {
    let original = BFloat16Tensor(rounding: Tensor([1, 2, 3, 4], shape: [2, 2]))
    var copy = original
    copy.uniqueStart()[3] = 0x4110  // 9
    #expect(original.widened.elements == [1, 2, 3, 4])
    #expect(copy.widened.elements == [1, 2, 3, 9])
  }
}
