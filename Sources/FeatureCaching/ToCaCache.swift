import Glibc
import Tensors

/// The outputs of all branches, some of whose rows are new: all of ``ToCa`` and ``DuCa``.
final class ToCaCache: FeatureCache {
  private let policy: ToCa
  private let setup: CacheSetup
  private let skipsBlocks: Bool
  private var step = CacheStep(index: 0, kind: .full)
  private var outputs: [Branch: Tensor] = [:]
  /// What the attention inside of branches with one output gave.
  private var attended: [Branch: Tensor] = [:]
  private var scores: [Branch: TokenScores] = [:]
  /// Behind the last block, of the last step that computed it.
  private var last: [TokenStream: Tensor] = [:]

  init(_ policy: ToCa, _ setup: CacheSetup, skipsBlocks: Bool) {
    self.policy = policy
    self.setup = setup
    self.skipsBlocks = skipsBlocks
  }

  func begin(_ step: CacheStep) { self.step = step }

  // MARK: - Branches

  func features(_ branches: [Branch], compute: () -> [Tensor]) -> [Feature] {
    if step.kind.isFull { for (branch, output) in zip(branches, compute()) { outputs[branch] = output } }
    return branches.map { feature($0) }
  }

  func request(_ branch: Branch, of x: ResidualStream) -> RowRequest {
    guard !step.kind.isFull else {
      return RowRequest(rows: x.all) { [self] output in
        outputs[branch] = output
        return feature(branch)
      }
    }
    let fresh = choose(branch, of: x.tokens)
    guard !fresh.isEmpty else { return RowRequest(rows: nil) { [self] _ in feature(branch) } }
    return RowRequest(rows: x.gathered(tokens: fresh, for: branch)) { [self] rows in
      outputs[branch]?.replace(rows: fresh, by: rows)
      return feature(branch)
    }
  }

  func feature(
    _ branch: Branch, of x: ResidualStream, attend: () -> Tensor,
    compute: (_ rows: Tensor, _ attended: Tensor) -> Tensor
  ) -> Feature {
    if step.kind.isFull {
      let attended = attend()
      outputs[branch] = compute(x.all, attended)
      self.attended[branch] = attended
    } else if let attended = attended[branch] {
      let fresh = choose(branch, of: x.tokens)
      if !fresh.isEmpty {
        outputs[branch]?.replace(
          rows: fresh, by: compute(x.gathered(tokens: fresh, for: branch), attended.gathered(rows: fresh)))
      }
    }
    return feature(branch)
  }

  /// What is kept of a branch; every branch has been through a full step before.
  private func feature(_ branch: Branch) -> Feature {
    guard let output = outputs[branch] else { preconditionFailure("\(branch) was never computed") }
    return Feature(output)
  }

  // MARK: - Choosing tokens

  func observeAttention(_ branches: [Branch], received: () -> [Tensor]) {
    guard step.kind.isFull, policy.selection != .random else { return }
    for (branch, received) in zip(branches, received()) {
      var chosen = branch
      if branch.part == .attention { chosen.part = .mlp }
      scores[chosen] = TokenScores(received)
    }
  }

  /// The tokens of a branch to compute at this step, ascending.
  private func choose(_ branch: Branch, of tokens: Int) -> [Int] {
    let count = policy.share.tokens(branch, of: tokens, layout: setup.layout, step: step.index, steps: setup.steps)
    switch policy.selection {
    case .random:
      return TokenScores.largest(count, of: setup.choices.scores(step: step.index, branch: branch, tokens: tokens))
    case .attention(let ageWeight, let interval, let bonus):
      guard var scores = scores[branch] else { return [] }
      let columns = branch.stream == .image && bonus > 0 ? setup.columns : nil
      let chosen = scores.choose(
        count, ageWeight: Float(ageWeight / Double(interval)), bonus: Float(bonus), columns: columns)
      self.scores[branch] = scores
      return chosen
    }
  }

  // MARK: - Steps without blocks

  private var isSkipped: Bool {
    skipsBlocks && policy.rhythm.skipsBlocks(PlannedStep(index: step.index, of: setup.steps, kind: step.kind))
  }

  var boundaries: [Int] { skipsBlocks ? [setup.layout.blocks] : [] }

  func skips(_ block: Int) -> Bool { isSkipped }

  func cross(_ boundary: Int, _ streams: inout [TokenStream: Tensor]) {
    if isSkipped { streams = last } else { last = streams }
  }

  // MARK: - What is kept

  var byteCount: Int {
    let tensors = Array(outputs.values) + Array(attended.values) + Array(last.values)
    return tensors.reduce(0) { $0 + $1.byteCount } + scores.values.reduce(0) { $0 + $1.byteCount }
  }

  func show(_ probe: Probe) {
    for (branch, output) in outputs { probe("\(branch.block).\(branch.stream).\(branch.part).0", output) }
  }
}

extension Tensor {
  /// Writes rows over those of the given numbers, in the same order.
  mutating func replace(rows indices: [Int], by rows: Tensor) {
    precondition(rows.rows == indices.count && rows.columns == columns, "\(rows.shape) are not the rows to write")
    let columns = columns
    withUnsafeMutableElements { target in
      rows.withUnsafeElements { source in
        for (place, row) in indices.enumerated() {
          _ = target[row * columns..<(row + 1) * columns].update(
            fromContentsOf: source[place * columns..<(place + 1) * columns])
        }
      }
    }
  }
}
