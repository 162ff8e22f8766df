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
  private var places: [Branch: Range<Int>] = [:]

  /// Of the fresh tokens of a branch, `[fresh tokens, width]`; nil if they were not known when the sum was made.
  func rows(of branch: Branch) -> Tensor? { places[branch].map { rows.rows($0) } }

  /// What the blocks before have added up to for the fresh tokens of a branch; nil if there are none.
  func startRows(of branch: Branch) -> Tensor? { startRows[branch] }

  /// Whether it still holds what the blocks before have added up to.
  var hasStart: Bool { start != nil }

  /// Lets go of what is not needed of the blocks before, since it is known now what is.
  mutating func keepStart(of branches: [(branch: Branch, tokens: [Int])]) {
    guard let start else { return }
    // Where fresh tokens were known beforehand, their rows have it in them.
    for (branch, tokens) in branches where places[branch] == nil { startRows[branch] = start.gathered(rows: tokens) }
    self.start = nil
  }

  mutating func dropTotal() { total = nil }

  var byteCount: Int {
    let kept = [total, start].compactMap { $0 } + startRows.values + [rows]
    return kept.reduce(0) { $0 + $1.byteCount }
  }
}

extension ForecastSum {
  private init(total: Tensor, start: Tensor?, rows: Tensor, places: [Branch: Range<Int>]) {
    (self.total, self.start, self.rows, self.places) = (total, start, rows, places)
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
    let places = plans.map(\.places)
    var totals = start ?? plans.map { _ in Tensor(zeros: [tokens, width]) }
    var rows = plans.map { Tensor(uninitialized: [$0.wantedRows, width]) }
    SharedAddition.open(plans) { additions in
      Tensor.withMutableElements(of: &totals) { totals in
        Tensor.withMutableElements(of: &rows) { rows in
          // What a piece takes of all steps stays in a core's own cache while all features go by.
          Tensor.forEachRowRange(rows: tokens, columns: width * (plans.count + 3)) { range in
            for (place, addition) in additions.enumerated() {
              for (step, plan) in plans.enumerated() {
                let total = totals[step]
                switch plan.operations[place] {
                case .add: addition?.add(to: total + range.lowerBound * width, rows: range, width: width, step: step)
                case .read(let branch, let wanted):
                  let first = places[step][branch]?.lowerBound ?? 0
                  for (index, token) in wanted.enumerated() where range.contains(token) {
                    (rows[step] + (first + index) * width).update(from: total + token * width, count: width)
                  }
                }
              }
            }
          }
        }
      }
    }
    return plans.indices.map { step in
      ForecastSum(total: totals[step], start: start?[step], rows: rows[step], places: places[step])
    }
  }
}

extension ForecastPlan {
  /// Where the rows that are wanted stand, one branch below the other.
  fileprivate var places: [Branch: Range<Int>] {
    var count = 0
    return operations.reduce(into: [:]) { places, operation in
      guard case .read(let branch, let tokens) = operation else { return }
      places[branch] = count..<count + tokens.count
      count += tokens.count
    }
  }

  fileprivate var wantedRows: Int { places.values.reduce(0) { $0 + $1.count } }
}

/// A feature that all plans add, each at its own distance with its own gate, as kernels take it.
private struct SharedAddition {
  let terms: [clusca_term]
  /// By step.
  let coefficients: [[Float]]
  let gates: [UnsafePointer<Float>?]

  /// Adds some rows of the feature to as many rows.
  func add(to target: UnsafeMutablePointer<Float>, rows: Range<Int>, width: Int, step: Int) {
    terms.add(to: target, rows: rows, width: width, coefficients: coefficients[step], gate: gates[step])
  }

  /// One an operation, nil where it adds nothing; the pointers are good only during the call.
  static func open(_ plans: [ForecastPlan], _ body: ([SharedAddition?]) -> Void) {
    func open(_ place: Int, _ additions: [SharedAddition?]) {
      guard place < plans[0].operations.count else { return body(additions) }
      let features = plans.compactMap { plan -> (feature: Feature, gate: Tensor?, firstRow: Int)? in
        guard case .add(let feature, let gate, let firstRow) = plan.operations[place] else { return nil }
        return (feature, gate, firstRow)
      }
      guard let first = features.first else { return open(place + 1, additions + [nil]) }
      precondition(features.count == plans.count, "the plans are of different blocks")
      first.feature.withTerms { terms in
        let moved = terms.map { $0.advanced(by: first.firstRow * first.feature.terms[0].columns) }
        let gates = features.compactMap(\.gate)
        Tensor.withElements(of: gates) { pointers in
          let addition = SharedAddition(
            terms: moved, coefficients: features.map(\.feature.coefficients),
            gates: gates.isEmpty ? features.map { _ in nil } : pointers)
          open(place + 1, additions + [addition])
        }
      }
    }
    open(0, [])
  }
}
