import Foundation
import Testing

@testable import Tensors

/// Attention whose products take bfloat16, on a CPU that has instructions for them; on others it is that of float32.
@Suite struct BFloat16AttentionTests {
  private static func random(_ rows: Int, _ columns: Int) -> Tensor {
    let key = RandomKey(seed: 9, purpose: .test)
    return Tensor(key.uniforms(0..<rows * columns).map { $0 * 4 - 2 }, shape: [rows, columns])
  }

  /// Tokens that do not fill a panel, a tile or a pair, and heads that do not fill a panel.
  @Test(
    arguments: [(1, 8), (63, 64), (97, 72), (513, 128), (1100, 40), (70, 256)],
    [.all, .first(40), .causal, .amongFirst(50)] as [Attention.Visibility])
  func itIsCloseToThatOfFloat32(size: (tokens: Int, headWidth: Int), visibility: Attention.Visibility) {
    let (tokens, headWidth) = size
    let qkv = Self.random(tokens, 3 * 2 * headWidth)
    let exact = Attention(heads: 2, headWidth: headWidth)(qkv, visibility: visibility)
    let fast = Attention(heads: 2, headWidth: headWidth, precision: .bfloat16)(qkv, visibility: visibility)
    // Queries and keys are rounded by up to 2⁻⁹ of themselves, which the sums of their products share among them, and so
    // are weights and values: the mean error stays below that of the roundings.
    var (difference, norm) = (0.0, 0.0)
    for (fast, exact) in zip(fast.elements, exact.elements) {
      difference += Double((fast - exact) * (fast - exact))
      norm += Double(exact * exact)
    }
    #expect((difference / norm).squareRoot() < 1.0 / 128, "\(size), \(visibility)")
    #expect(fast.elements.allSatisfy { $0.isFinite })
  }

  @Test func largeScoresDoNotOverflow() {
    var qkv = Self.random(130, 3 * 64)
    qkv.scale(by: 0, adding: qkv, times: 300)
    let exact = Attention(heads: 1, headWidth: 64)(qkv)
    let fast = Attention(heads: 1, headWidth: 64, precision: .bfloat16)(qkv)
    // Each query then takes a single value, and no rounding makes it another.
    let far = zip(fast.elements, exact.elements).count { abs($0 - $1) > 0.02 * 600 }
    #expect(far < fast.count / 20)
    #expect(fast.elements.allSatisfy { $0.isFinite })
  }

  @Test func theNumberOfThreadsChangesNoBit() {
    let qkv = Self.random(530, 3 * 3 * 72)
    let attention = Attention(heads: 3, headWidth: 72, precision: .bfloat16)
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    let results = [1, 2, 3].map { count in
      ThreadPool.shared.setThreads(count)
      return attention(qkv)
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test func headsThatShareKeysEqualHeadsWithCopiesOfThem() {
    let width = 32
    let qkv = Self.random(100, 4 * width)
    let shared = Attention(heads: 2, headWidth: width, keyValueHeads: 1, precision: .bfloat16)(qkv)
    for head in 0..<2 {
      var alone = Tensor(uninitialized: [100, 3 * width])
      alone.replace(columns: 0..<width, by: qkv.columns(head * width..<(head + 1) * width))
      alone.replace(columns: width..<3 * width, by: qkv.columns(2 * width..<4 * width))
      #expect(
        Attention(heads: 1, headWidth: width, precision: .bfloat16)(alone)
          == shared.columns(head * width..<(head + 1) * width))
    }
  }
}
