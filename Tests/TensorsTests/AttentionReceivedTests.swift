import Tensors
import Testing

@Suite struct AttentionReceivedTests {
  private let attention = Attention(heads: 2, headWidth: 4)

  private func qkv(_ tokens: Int) -> Tensor {
    Tensor(RandomKey(seed: 3, purpose: .test).uniforms(0..<tokens * 24).map { $0 * 4 - 2 }, shape: [tokens, 24])
  }

  /// What the attention gives where the values are ones for one token and zeros for all others.
  private func expected(_ qkv: Tensor, _ visibility: Attention.Visibility) -> [Float] {
    (0..<qkv.rows).map { token in
      var qkv = qkv
      var values = Tensor(zeros: [qkv.rows, 8])
      for column in 0..<8 { values[token * 8 + column] = 1 }
      qkv.replace(columns: 16..<24, by: values)
      return attention(qkv, visibility: visibility).elements.reduce(0, +) / 8
    }
  }

  @Test func itIsTheSumOfWhatAllQueriesGiveToATokensValue() {
    for visibility in [Attention.Visibility.all, .first(5), .causal] {
      let qkv = qkv(7)
      let received = attention.received(qkv, visibility: visibility).elements
      for (left, right) in zip(received, expected(qkv, visibility)) { #expect(abs(left - right) < 1e-5) }
      #expect(abs(received.reduce(0, +) - 7) < 1e-5)
    }
  }

  @Test func manyTokensGiveAsMuchAsThereAreAndThreadsChangeNothing() {
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    let qkv = qkv(431)
    let received = [1, 3].map { count in
      ThreadPool.shared.setThreads(count)
      return attention.received(qkv)
    }
    #expect(received[0] == received[1])
    #expect(abs(received[0].elements.reduce(0, +) - 431) < 1e-2)
  }

  @Test func tokensThatNobodySeesReceiveNothing() {
    #expect(attention.received(qkv(6), visibility: .first(4)).elements.suffix(2) == [0, 0])
  }
}
