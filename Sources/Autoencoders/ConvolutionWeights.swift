import CKernels
import Tensors

/// The weights of a convolution in the order in which the kernel reads them.
struct ConvolutionWeights: Sendable {
  /// Which pixels the weights meet, relative to the output's.
  let taps: [(row: Int, column: Int)]
  /// `[outputs / 16, taps, inputs, 16]`; zeros where outputs are no multiple of 16.
  let packed: Tensor

  var byteCount: Int { packed.byteCount }

  /// What weights `[outputs, inputs, …]` take in this order, as any convolution here has them: 3×3 in a window become 16 by
  /// Winograd's algorithm as well as in front of a doubled picture.
  static func byteCount(_ shape: [Int]) -> Int {
    let (panelWidth, window) = (Int(CLUSCA_CHANNELS), shape.dropFirst(2).reduce(1, *))
    let taps =
      switch window {
      case 9: shape[0] >= Convolution.fewestWinogradOutputs ? 16 : 9
      case 27: 48
      default: window
      }
    return (shape[0] + panelWidth - 1) / panelWidth * panelWidth * shape[1] * taps * MemoryLayout<Float>.stride
  }

  /// weight: `[outputs, inputs, side · side]`
  init(_ weight: Tensor, side: Int) {
    let places = (0..<side * side).map { ($0 / side - side / 2, $0 % side - side / 2) }
    self.init(weight, taps: places, members: places.indices.map { [($0, 1)] })
  }

  /// The 16 components of Winograd's F(2 × 2, 3 × 3) (Lavin and Gray, 2015): G · g · Gᵀ of each window g. They meet
  /// no pixels but components of these. Of windows of 3 × 3 × 3 there are so many for each frame, those of one component
  /// one behind the other.
  init(winograd weight: Tensor) {
    let g: [[Double]] = [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]
    let frames = weight.shape[2] / 9
    let members: [[(place: Int, factor: Double)]] = (0..<16 * frames).map { tap in
      let (component, frame) = (tap / frames, tap % frames)
      let (rows, columns) = (g[component / 4], g[component % 4])
      return (0..<9).map { place in (9 * frame + place, rows[place / 3] * columns[place % 3]) }
    }
    self.init(weight, taps: members.map { _ in (0, 0) }, members: members)
  }

  /// The pixels of a doubled picture whose row and column leave these remainders by 2: weights that meet the same pixel
  /// of the original are added. An even row sees row −1 by its first weight and row 0 by the others; an odd row sees
  /// row 0 by its first two weights and row 1 by the last.
  init(_ weight: Tensor, doublingRow row: Int, column: Int) {
    func members(_ parity: Int) -> [(offset: Int, weights: [Int])] {
      parity == 0 ? [(-1, [0]), (0, [1, 2])] : [(0, [0, 1]), (1, [2])]
    }
    let places = members(row).flatMap { row in members(column).map { column in (row, column) } }
    self.init(
      weight, taps: places.map { ($0.offset, $1.offset) },
      members: places.map { row, column in
        row.weights.flatMap { row in column.weights.map { (row * 3 + $0, 1) } }
      })
  }

  /// - Parameter members: for each tap, which weights of a window are added there, and times what.
  private init(_ weight: Tensor, taps: [(row: Int, column: Int)], members: [[(place: Int, factor: Double)]]) {
    let (outputs, inputs, window) = (weight.shape[0], weight.shape[1], weight.shape[2])
    let panelWidth = Int(CLUSCA_CHANNELS)
    let panels = (outputs + panelWidth - 1) / panelWidth
    var packed = Tensor(zeros: [panels, taps.count, inputs, panelWidth])
    weight.withUnsafeElements { weight in
      packed.withUnsafeMutableElements { packed in
        guard let weight = weight.baseAddress, let packed = packed.baseAddress else { return }
        ThreadPool.shared.forEach(panels) { panel in
          for (tap, members) in members.enumerated() {
            let members = members.filter { $0.factor != 0 }
            for column in 0..<min(panelWidth, outputs - panel * panelWidth) {
              let source = weight + (panel * panelWidth + column) * inputs * window
              let target = packed + (panel * taps.count + tap) * inputs * panelWidth + column
              for input in 0..<inputs {
                var sum = 0.0
                for member in members { sum += member.factor * Double(source[input * window + member.place]) }
                target[input * panelWidth] = Float(sum)
              }
            }
          }
        }
      }
    }
    self.taps = taps
    self.packed = packed
  }
}
