import Glibc
import Tensors

/// How much the tokens of a branch deserve to be computed anew.
struct TokenScores {
  /// The attention that each received, of length 1 over all of them.
  private let received: [Float]
  /// The cached steps since each was last computed.
  private var ages: [Int32]

  /// - Parameter received: `[tokens]`
  init(_ received: Tensor) {
    let elements = received.elements
    let length = sqrt(elements.reduce(0.0) { $0 + Double($1) * Double($1) })
    self.received = length > 0 ? elements.map { Float(Double($0) / length) } : elements
    ages = Array(repeating: 0, count: elements.count)
  }

  /// Takes the tokens of the largest scores, whose ages begin anew; all others grow older.
  ///
  /// - Parameters:
  ///   - ageWeight: of each cached step.
  ///   - bonus: what the best token of each 2 × 2 square gets on top, times its score.
  ///   - columns: tokens in a row of the picture; nil for no squares.
  /// - Returns: their numbers, ascending.
  mutating func choose(_ count: Int, ageWeight: Float, bonus: Float, columns: Int?) -> [Int] {
    var scores = zip(received, ages).map { $0 + ageWeight * Float($1) }
    if let columns { Self.favour(&scores, bonus, columns: columns) }
    let chosen = Self.largest(count, of: scores)
    for token in ages.indices { ages[token] += 1 }
    for token in chosen { ages[token] = 0 }
    return chosen
  }

  /// The places of the largest numbers, ascending; of equal ones the first.
  static func largest(_ count: Int, of numbers: [Float]) -> [Int] {
    let sorted = numbers.indices.sorted { numbers[$0] != numbers[$1] ? numbers[$0] > numbers[$1] : $0 < $1 }
    return sorted.prefix(count).sorted()
  }

  /// The best of each square of 2 × 2 tokens, so that those that are chosen lie all over the picture. The frames of a video
  /// stand below one another; squares at the edge are smaller.
  private static func favour(_ scores: inout [Float], _ bonus: Float, columns: Int) {
    let rows = scores.count / max(1, columns)
    for top in stride(from: 0, to: rows, by: 2) {
      for left in stride(from: 0, to: columns, by: 2) {
        let square = (top..<min(top + 2, rows)).flatMap { row in
          (left..<min(left + 2, columns)).map { row * columns + $0 }
        }
        guard var best = square.first else { continue }
        for token in square where scores[token] > scores[best] { best = token }
        scores[best] += bonus * scores[best]
      }
    }
  }

  var byteCount: Int { received.count * MemoryLayout<Float>.stride + ages.count * MemoryLayout<Int32>.stride }
}
