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
    SharedOperation.open(plans, places) { operations in
      Tensor.withMutableElements(of: &totals) { totals in
        Tensor.withMutableElements(of: &rows) { rows in
          // What a piece takes of all steps stays in a core's own cache while all features go by.
          Tensor.forEachRowRange(rows: tokens, columns: width * plans.count / 2) { range in
            for operation in operations {
              switch operation {
              case .add(let addition): addition.add(to: totals, rows: range, width: width)
              case .read(let wanted):
                for row in wanted where range.contains(row.token) {
                  (rows[row.step] + row.place * width).update(from: totals[row.step] + row.token * width, count: width)
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

/// An operation of all plans.
private enum SharedOperation {
  case add(SharedAddition)
  case read([WantedRow])

  /// A row of a token's sum at a step, with its place among the rows of that step.
  struct WantedRow {
    let step: Int
    let token: Int
    let place: Int
  }

  /// The pointers are good only during the call.
  static func open(
    _ plans: [ForecastPlan], _ places: [[Branch: Range<Int>]], _ body: ([SharedOperation]) -> Void
  ) {
    func open(_ index: Int, _ operations: [SharedOperation]) {
      guard index < plans[0].operations.count else { return body(operations) }
      var additions: [(feature: Feature, gate: Tensor?, firstRow: Int)] = []
      var wanted: [WantedRow] = []
      for (step, plan) in plans.enumerated() {
        switch plan.operations[index] {
        case .add(let feature, let gate, let firstRow): additions.append((feature, gate, firstRow))
        case .read(let branch, let tokens):
          let first = places[step][branch]?.lowerBound ?? 0
          wanted += tokens.enumerated().map { WantedRow(step: step, token: $1, place: first + $0) }
        }
      }
      guard let first = additions.first else { return open(index + 1, operations + [.read(wanted)]) }
      precondition(additions.count == plans.count, "the plans are of different blocks")
      first.feature.withTerms { terms in
        Tensor.withElements(of: additions.compactMap(\.gate)) { gates in
          precondition(gates.isEmpty || gates.count == plans.count, "some of the plans have no gate")
          let addition = SharedAddition(
            terms: terms, firstRow: first.firstRow, coefficients: additions.flatMap(\.feature.coefficients),
            gates: gates)
          open(index + 1, operations + [.add(addition)])
        }
      }
    }
    open(0, [])
  }
}

/// A feature that all plans add, each at its own distance with its own gate, as kernels take it.
private struct SharedAddition {
  let terms: [clusca_term]
  /// Of the terms, for the first of the picture's tokens.
  let firstRow: Int
  /// Of all terms at one step after the other.
  let coefficients: [Float]
  /// One a step; none where they are all 1.
  let gates: [UnsafePointer<Float>?]

  /// Adds some rows of the feature to as many of each step's.
  func add(to totals: [UnsafeMutablePointer<Float>], rows: Range<Int>, width: Int) {
    withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>?.self, capacity: totals.count) { targets in
      for (step, total) in totals.enumerated() {
        targets.initializeElement(at: step, to: total + rows.lowerBound * width)
      }
      gates.withUnsafeBufferPointer { gates in
        kernels.add_gated_sums(
          targets.baseAddress, totals.count, firstRow + rows.lowerBound, rows.count, width,
          gates.isEmpty ? nil : gates.baseAddress, terms, coefficients, terms.count)
      }
    }
  }
}
