import Tensors
import Testing

@Suite struct TensorTests {
  @Test func aCopyDoesNotChangeWithTheOriginal() {
    var tensor = Tensor([1, 2, 3, 4, 5, 6], shape: [3, 2])
    let copy = tensor
    tensor[0] = 9
    #expect(copy.elements == [1, 2, 3, 4, 5, 6])
    #expect(tensor.elements == [9, 2, 3, 4, 5, 6])
  }

  @Test func rowsAreSlicedGatheredAndJoined() {
    let tensor = Tensor([1, 2, 3, 4, 5, 6], shape: [3, 2])
    #expect(tensor.rows(1..<3).elements == [3, 4, 5, 6])
    #expect(tensor.gathered(rows: [2, 0, 2]).elements == [5, 6, 1, 2, 5, 6])
    #expect(Tensor.concatenated(rows: [tensor.rows(2..<3), tensor.rows(0..<1)]).elements == [5, 6, 1, 2])
  }

  @Test func openingSeveralTensorsForChangesCopiesNone() {
    var tensors = [Tensor(zeros: [2, 3]), Tensor(zeros: [4])]
    let places = tensors.map { $0.withUnsafeElements { $0.baseAddress } }
    Tensor.withMutableElements(of: &tensors) { pointers in
      #expect(pointers.map { UnsafePointer($0) } == places)
      pointers[1][3] = 7
    }
    #expect(tensors[1].elements == [0, 0, 0, 7])
    #expect(tensors.map { $0.withUnsafeElements { $0.baseAddress } } == places)
  }
}
