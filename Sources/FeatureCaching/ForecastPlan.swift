import CKernels
import Tensors

/// What a coming cached step will add to the picture's hidden states that is known already: the gated forecasts of a stage's
/// branches in their order, and the tokens whose sums are wanted on the way, because they will be computed anew there.
///
/// It is written down by sending the step through the blocks with a ``PlanningCache``.
public final class ForecastPlan {
  enum Operation {
    /// - Parameter firstRow: of the feature, for the first of the picture's tokens.
    case add(Feature, gate: Tensor?, firstRow: Int)
    case read(Branch, tokens: [Int])
  }

  private(set) var operations: [Operation] = []

  func add(_ feature: Feature, gate: Tensor?, firstRow: Int) {
    operations.append(.add(feature, gate: gate, firstRow: firstRow))
  }

  func read(_ branch: Branch, tokens: [Int]) { operations.append(.read(branch, tokens: tokens)) }
}

/// What the forecasts of a step add to the picture's hidden states.
public struct ForecastSum: Sendable, Equatable {
  /// Behind the blocks, `[image tokens, width]`; nil where somebody else needs it.
  private(set) var total: Tensor?
  /// What the blocks before have added up to, `[image tokens, width]`, until it is known which of its rows are needed.
  private var start: Tensor?
  /// Those rows, by the branch that they are for, `[fresh tokens, width]`.
  private var startRows: [Branch: Tensor] = [:]
  /// Of fresh tokens in front of their branches, `[fresh tokens of all branches, width]`, where these were known beforehand.
  private var rows: Tensor
  private var wanted: [Branch: WantedRows] = [:]

  /// The fresh tokens of a branch, and where their rows stand.
  fileprivate struct WantedRows: Equatable {
    let tokens: [Int]
    let places: Range<Int>
  }

  /// Of the fresh tokens of a branch, `[fresh tokens, width]`; nil if they were not known when the sum was made.
  func rows(of branch: Branch) -> Tensor? { wanted[branch].map { rows.rows($0.places) } }

  /// The fresh tokens of a branch; nil if they were not known when the sum was made.
  func freshTokens(of branch: Branch) -> [Int]? { wanted[branch]?.tokens }

  /// What the blocks before have added up to for the fresh tokens of a branch; nil if there are none.
  func startRows(of branch: Branch) -> Tensor? { startRows[branch] }

  /// Whether it still holds what the blocks before have added up to.
  var hasStart: Bool { start != nil }

  /// Lets go of what is not needed of the blocks before, since it is known now what is.
  mutating func keepStart(of branches: [(branch: Branch, tokens: [Int])]) {
    guard let start else { return }
    // Where fresh tokens were known beforehand, their rows have it in them.
    for (branch, tokens) in branches where wanted[branch] == nil { startRows[branch] = start.gathered(rows: tokens) }
    self.start = nil
  }

  mutating func dropTotal() { total = nil }

  var byteCount: Int {
    let kept = [total, start].compactMap { $0 } + startRows.values + [rows]
    return kept.reduce(0) { $0 + $1.byteCount }
  }
}

extension ForecastSum {
  private init(total: Tensor, start: Tensor?, rows: Tensor, wanted: [Branch: WantedRows]) {
    (self.total, self.start, self.rows, self.wanted) = (total, start, rows, wanted)
  }

  /// The sums of several steps that forecast from the same outputs, in one pass over these: they are much larger than what
  /// they add up to.
  ///
  /// - Parameters:
  ///   - plans: of the same blocks.
  ///   - start: what the blocks before have added up to for each, `[tokens, width]`; nil if there are none.
  static func sums(of plans: [ForecastPlan], from start: [Tensor]?, tokens: Int, width: Int) -> [ForecastSum] {
    guard let first = plans.first else { return [] }
    precondition(
      plans.allSatisfy { $0.operations.count == first.operations.count }, "the plans are of different blocks")
    let wanted = plans.map(\.wantedRows)
    var totals = start ?? plans.map { _ in Tensor(uninitialized: [tokens, width]) }
    var rows = wanted.map { wanted in
      Tensor(uninitialized: [wanted.values.reduce(0) { $0 + $1.places.count }, width])
    }
    let shared = SharedPlan(plans, wanted)
    Tensor.withMutableElements(of: &totals) { totals in
      Tensor.withMutableElements(of: &rows) { rows in
        // What a piece takes of all steps stays in a core's own cache while all features go by.
        Tensor.forEachRowRange(rows: tokens, columns: width * plans.count / 2) { range in
          if start == nil {
            for total in totals { (total + range.lowerBound * width).update(repeating: 0, count: range.count * width) }
          }
          shared.sum(range, of: totals, wanted: rows, width: width)
        }
      }
    }
    withExtendedLifetime(plans) {}
    return plans.indices.map { step in
      ForecastSum(total: totals[step], start: start?[step], rows: rows[step], wanted: wanted[step])
    }
  }
}

extension ForecastPlan {
  /// The rows that are wanted, which stand one branch below the other.
  fileprivate var wantedRows: [Branch: ForecastSum.WantedRows] {
    var count = 0
    return operations.reduce(into: [:]) { wanted, operation in
      guard case .read(let branch, let tokens) = operation else { return }
      wanted[branch] = ForecastSum.WantedRows(tokens: tokens, places: count..<count + tokens.count)
      count += tokens.count
    }
  }
}

/// The operations of plans of the same blocks, as kernels take them: good as long as the plans live.
private struct SharedPlan {
  private enum Operation {
    case add(Addition)
    case read(Range<Int>)
  }

  /// A feature that all plans add, each at its own distance with its own gate.
  private struct Addition {
    let terms: Range<Int>
    /// Of the terms, for the first of the picture's tokens.
    let firstRow: Int
    /// Of all terms at one step after the other.
    let firstCoefficient: Int
    /// One a step; nil where they are all 1.
    let firstGate: Int?
  }

  /// A row of a token's sum at a step, with its place among the rows of that step.
  private struct WantedRow {
    let step: Int
    let token: Int
    let place: Int
  }

  private var operations: [Operation] = []
  private var terms: [clusca_term] = []
  private var coefficients: [Float] = []
  private var gates: [UnsafePointer<Float>?] = []
  private var wanted: [WantedRow] = []

  init(_ plans: [ForecastPlan], _ rows: [[Branch: ForecastSum.WantedRows]]) {
    for (index, operation) in plans[0].operations.enumerated() {
      switch operation {
      case .add(let feature, _, let firstRow):
        let addition = Addition(
          terms: terms.count..<terms.count + feature.coefficients.count, firstRow: firstRow,
          firstCoefficient: coefficients.count, firstGate: appendGates(plans, index))
        operations.append(.add(addition))
        terms += feature.kernelTerms
        for plan in plans {
          guard case .add(let feature, _, _) = plan.operations[index] else {
            preconditionFailure("the plans are of different blocks")
          }
          coefficients += feature.coefficients
        }
      case .read:
        let first = wanted.count
        for (step, plan) in plans.enumerated() {
          guard case .read(let branch, let tokens) = plan.operations[index] else { continue }
          let firstPlace = rows[step][branch]?.places.lowerBound ?? 0
          wanted += tokens.enumerated().map { WantedRow(step: step, token: $1, place: firstPlace + $0) }
        }
        operations.append(.read(first..<wanted.count))
      }
    }
  }

  private mutating func appendGates(_ plans: [ForecastPlan], _ index: Int) -> Int? {
    let ofSteps = plans.compactMap { plan -> UnsafePointer<Float>? in
      if case .add(_, let gate?, _) = plan.operations[index] { gate.start } else { nil }
    }
    precondition(ofSteps.isEmpty || ofSteps.count == plans.count, "some of the plans have no gate")
    defer { gates += ofSteps }
    return ofSteps.isEmpty ? nil : gates.count
  }

  /// Sums some tokens' rows of each step: adds to those of `totals`, and copies what is wanted on the way to `wanted`.
  func sum(
    _ range: Range<Int>, of totals: [UnsafeMutablePointer<Float>], wanted rows: [UnsafeMutablePointer<Float>],
    width: Int
  ) {
    let targets = totals.map { Optional($0 + range.lowerBound * width) }
    terms.withUnsafeBufferPointer { terms in
      coefficients.withUnsafeBufferPointer { coefficients in
        gates.withUnsafeBufferPointer { gates in
          for operation in operations {
            switch operation {
            case .add(let addition):
              kernels.add_gated_sums(
                targets, targets.count, addition.firstRow + range.lowerBound, range.count, width,
                addition.firstGate.map { gates.baseAddress! + $0 }, terms.baseAddress! + addition.terms.lowerBound,
                coefficients.baseAddress! + addition.firstCoefficient, addition.terms.count)
            case .read(let places):
              for row in wanted[places] where range.contains(row.token) {
                (rows[row.step] + row.place * width).update(from: totals[row.step] + row.token * width, count: width)
              }
            }
          }
        }
      }
    }
  }
}
