import Testing

@testable import Tensors

/// Products of matrices of many sizes, among them such as do not fill a block, a panel or a pass.
struct ProductTests {
  private static let sizes = [
    (1, 1, 1), (1, 7, 130), (2, 2049, 70), (3, 33, 49), (4, 511, 64), (5, 513, 65), (6, 1024, 9), (11, 3071, 66),
    (16, 192, 100), (19, 1031, 48), (64, 100, 51), (65, 130, 67), (71, 384, 80), (103, 900, 15), (200, 515, 129),
  ]

  /// In -1..<1, and independent: where numbers recur, roundings add up.
  private func values(_ shape: [Int], _ seed: UInt64) -> Tensor {
    let uniforms = RandomKey(seed: seed, purpose: .test).uniforms(0..<shape.reduce(1, *))
    return Tensor(uniforms.map { 2 * $0 - 1 }, shape: shape)
  }

  private func matrix(_ values: Tensor, _ precision: Precision) throws -> WeightMatrix {
    try WeightMatrix(
      joining: [StoredTensor(name: "weight", shape: values.shape, values: values.elements)], precision: precision)
  }

  private func rounded(_ value: Float, _ precision: Precision) -> Double {
    guard precision == .bfloat16 else { return Double(value) }
    let bits = value.bitPattern
    return Double(Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000))
  }

  @Test(arguments: [Precision.float32, .bfloat16], sizes)
  func aProductIsTheSumOfProducts(precision: Precision, size: (rows: Int, inputs: Int, outputs: Int)) throws {
    let (rows, inputs, outputs) = size
    let (x, w, bias) = (values([rows, inputs], 1), values([outputs, inputs], 2), values([outputs], 3))
    let y = Linear(weight: try matrix(w, precision), bias: bias)(x, activation: .relu).elements
    let (left, right) = (x.elements.map { rounded($0, precision) }, w.elements.map { rounded($0, precision) })
    for row in 0..<rows {
      for output in 0..<outputs {
        var (sum, magnitude) = (Double(bias[output]), 1.0)
        for k in 0..<inputs {
          let product = left[row * inputs + k] * right[output * inputs + k]
          sum += product
          magnitude += abs(product)
        }
        let error = abs(Double(y[row * outputs + output]) - max(0, sum))
        let tolerance = Double(Float.ulpOfOne) * Double(inputs).squareRoot() * magnitude
        if error > tolerance { Issue.record("row \(row), output \(output): \(error) is more than \(tolerance)") }
      }
    }
  }

  /// A cached step computes a few rows of what a full step computed whole; up to the number of rows from which another
  /// kernel multiplies in float32, a row has the same bits in any company.
  @Test(arguments: Precision.allCases)
  func aRowIsTheSameAloneAndAmongOthers(precision: Precision) throws {
    let (rows, inputs, outputs) = (37, 1100, 131)
    let x = values([rows, inputs], 4)
    let linear = Linear(weight: try matrix(values([outputs, inputs], 5), precision), bias: nil)
    let together = linear(x)
    for few in [0..<1, 5..<6, 36..<37, 7..<23, 2..<37] { #expect(linear(x, rows: few) == together.rows(few)) }
  }

  @Test(arguments: Precision.allCases)
  func theNumberOfThreadsChangesNoBit(precision: Precision) throws {
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    for (rows, outputs) in [(16, 900), (300, 900), (300, 130)] {
      let linear = Linear(weight: try matrix(values([outputs, 700], 6), precision), bias: values([outputs], 7))
      let x = values([rows, 700], 8)
      let results = [1, 2, 3].map { count in
        ThreadPool.shared.setThreads(count)
        return linear(x, activation: .geluTanh)
      }
      #expect(results[0] == results[1] && results[0] == results[2])
    }
  }

  /// What is between two maps may stay in bfloat16; that changes no bit.
  @Test(arguments: Precision.allCases, [(1, 7, 0), (16, 130, 64), (19, 65, 3), (400, 1664, 33)])
  func aChainOfMapsIsOneBehindTheOther(precision: Precision, size: (rows: Int, inner: Int, beside: Int)) throws {
    let (rows, inner, beside) = size
    let (x, w, v) = (values([rows, 90], 1), values([inner, 90], 2), values([70, beside + inner], 3))
    let first = Linear(weight: try matrix(w, precision), bias: values([inner], 4))
    let next = Linear(weight: try matrix(v, precision), bias: values([70], 5))
    var between = Tensor(uninitialized: [rows, beside + inner])
    let others = beside > 0 ? values([rows, beside], 6) : nil
    if let others { between.replace(columns: 0..<beside, by: others) }
    first.apply(x, activation: .geluTanh, to: &between, firstColumn: beside)
    #expect(first(x, activation: .geluTanh, beside: others, then: next) == next(between))
  }

  /// An epilogue that notes what it gets. What it has fetched is read by nobody, and gone by then.
  private final class Notes: ProductEpilogue, @unchecked Sendable {
    let shape: [Int]
    let memory: ProductMemory
    private let copy: UnsafeMutableBufferPointer<Float>
    private let columns: Int
    private(set) var hasEnded = false

    init(rows: Int, columns: Int) {
      shape = [rows, columns]
      memory = ProductMemory(
        [Tensor(uninitialized: [rows, columns])], narrow: [BFloat16Tensor(uninitialized: [rows, columns])],
        whole: [Tensor(uninitialized: [3, columns]), Tensor(uninitialized: [0, columns])])
      self.columns = columns
      copy = .allocate(capacity: rows * columns)
      copy.update(repeating: 0)
    }

    deinit { copy.deallocate() }

    /// Every number was added to 0 as often as it came.
    var sum: [Float] { Array(copy) }

    func take(_ piece: UnsafePointer<Float>, stride: Int, rows: Range<Int>, columns: Range<Int>) {
      for (r, row) in rows.enumerated() {
        for (c, column) in columns.enumerated() { copy[row * self.columns + column] += piece[r * stride + c] }
      }
    }

    func end() { hasEnded = true }
  }

  @Test(arguments: Precision.allCases, [1, 30, 401, 530])
  func anEpilogueGetsAllOfAProductOnceOrNothing(precision: Precision, rows: Int) throws {
    let (x, w) = (values([rows, 1600], 1), values([330, 1600], 2))
    let linear = Linear(weight: try matrix(w, precision), bias: values([330], 3))
    let next = Linear(weight: try matrix(values([67, 330], 6), precision), bias: nil)
    let takesEpilogues = precision != .float32 || rows > Float32Rows.fewRows && Float32Product.hasKernel
    func expect(_ notes: Notes, _ product: Tensor, _ expected: Tensor) {
      #expect(product == expected)
      #expect(notes.hasEnded == takesEpilogues)
      #expect(notes.sum == (notes.hasEnded ? expected.elements : [Float](repeating: 0, count: expected.count)))
    }
    var notes = Notes(rows: rows, columns: 330)
    expect(notes, linear(x, activation: .silu, epilogue: notes), linear(x, activation: .silu))
    notes = Notes(rows: rows, columns: 67)
    expect(
      notes, linear(x, activation: .silu, then: next, epilogue: notes), linear(x, activation: .silu, then: next))
  }

  /// A map that is used once in many steps has the numbers of one whose weights are kept packed.
  @Test(arguments: [Precision.float32, .bfloat16], [(1, 33, 49), (3, 511, 64), (50, 1031, 200)])
  func weightsThatStayInTheirFileGiveTheSameBits(precision: Precision, size: (rows: Int, inputs: Int, outputs: Int))
    throws
  {
    let (x, w, bias) = (
      values([size.rows, size.inputs], 1), values([size.outputs, size.inputs], 2), values([size.outputs], 3)
    )
    let stored = try StoredTensor(name: "weight", shape: w.shape, values: w.elements)
    let streamed = Linear(weight: try WeightMatrix(streaming: stored, precision: precision), bias: bias)
    let kept = Linear(weight: try matrix(w, precision), bias: bias)
    #expect(streamed(x, activation: .silu) == kept(x, activation: .silu))
  }

  /// Each side of a product in 8 bits is at most half a step of its row away from what it stands for.
  @Test(arguments: sizes)
  func aProductOfEightBitsIsAsCloseAsItsRoundings(size: (rows: Int, inputs: Int, outputs: Int)) throws {
    let (rows, inputs, outputs) = size
    let (x, w, bias) = (values([rows, inputs], 1), values([outputs, inputs], 2), values([outputs], 3))
    let y = Linear(weight: try matrix(w, .int8), bias: bias)(x, activation: .relu).elements
    func steps(_ tensor: Tensor) -> [Double] {
      (0..<tensor.rows).map { row in tensor.rows(row..<row + 1).elements.reduce(0) { max($0, Double(abs($1))) } / 127 }
    }
    let (xSteps, wSteps, left, right) = (steps(x), steps(w), x.elements.map(Double.init), w.elements.map(Double.init))
    for row in 0..<rows {
      for output in 0..<outputs {
        var (exact, bound) = (Double(bias[output]), 1e-5)
        for k in 0..<inputs {
          let (a, b) = (left[row * inputs + k], right[output * inputs + k])
          exact += a * b
          bound += 0.51 * (xSteps[row] * abs(b) + wSteps[output] * abs(a)) + 0.26 * xSteps[row] * wSteps[output]
        }
        let error = abs(Double(y[row * outputs + output]) - max(0, exact))
        if error > bound { Issue.record("row \(row), output \(output): \(error) is more than \(bound)") }
      }
    }
  }

  @Test func rowsAndColumnsOfZerosGiveTheBias() throws {
    let (x, bias) = (Tensor(zeros: [3, 70]), values([65], 3))
    let y = Linear(weight: try matrix(values([65, 70], 2), .int8), bias: bias)(x)
    #expect(y == Tensor.concatenated(rows: [bias, bias, bias].map { $0.reshaped([1, 65]) }))
    let zeros = Linear(weight: try matrix(Tensor(zeros: [65, 70]), .int8), bias: bias)(values([3, 70], 1))
    #expect(zeros == y)
  }
}
