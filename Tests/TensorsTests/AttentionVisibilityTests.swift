import Testing

@testable import Tensors

/// Who sees whom in attention, and keys that several heads share.
@Suite struct AttentionVisibilityTests {
  /// Enough tokens for several pieces of work.
  private static let tokens = 2 * Attention.queriesPerPiece + 7

  private static func random(_ columns: Int) -> Tensor {
    let key = RandomKey(seed: 4, purpose: .test)
    return Tensor(key.uniforms(0..<tokens * columns).map { $0 * 2 - 1 }, shape: [tokens, columns])
  }

  private static func sees(_ visibility: Attention.Visibility, _ query: Int, _ key: Int) -> Bool {
    switch visibility {
    case .all: true
    case .causal: key <= query
    case .first(let count): key < count
    case .causalAmongFirst(let count): key <= query && key < count
    case .amongFirst(let count): query < count ? key < count : key == 0
    case .causalGroups(let size): key / size <= query / size
    }
  }

  @Test(
    arguments: [
      .all, .causal, .first(1), .first(200), .causalAmongFirst(1), .causalAmongFirst(250), .amongFirst(1),
      .amongFirst(250), .causalGroups(of: 1), .causalGroups(of: 60), .causalGroups(of: 500),
    ] as [Attention.Visibility])
  func eachQuerySeesTheKeysThatItShall(visibility: Attention.Visibility) {
    let tokens = Self.tokens
    let bias = visibility.bias(tokens: tokens)
    var wrong = 0
    for query in 0..<tokens {
      for key in 0..<tokens where (bias[query * tokens + key] == 0) != Self.sees(visibility, query, key) { wrong += 1 }
    }
    #expect(wrong == 0)
    // What is not seen weighs nothing, as if its score were −∞.
    let attention = Attention(heads: 1, headWidth: 8)
    let qkv = Self.random(24)
    #expect(attention(qkv, visibility: visibility) == attention(qkv, bias: bias))
  }

  @Test func headsThatShareKeysEqualHeadsWithCopiesOfThem() {
    let (shared, single) = (
      Attention(heads: 4, headWidth: 6, keyValueHeads: 2), Attention(heads: 4, headWidth: 6)
    )
    let qkv = Self.random((4 + 2 + 2) * 6)
    var copied = Tensor(uninitialized: [qkv.rows, 3 * 4 * 6])
    for row in 0..<qkv.rows {
      for head in 0..<4 {
        for place in 0..<6 {
          let target = row * 72 + head * 6 + place
          copied[target] = qkv[row * 48 + head * 6 + place]
          copied[target + 24] = qkv[row * 48 + 24 + head / 2 * 6 + place]
          copied[target + 48] = qkv[row * 48 + 36 + head / 2 * 6 + place]
        }
      }
    }
    #expect(shared(qkv, visibility: .causal) == single(copied, visibility: .causal))
  }
}
