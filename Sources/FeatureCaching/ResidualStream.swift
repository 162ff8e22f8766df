import CKernels
import Tensors

/// The hidden states of a stream on their way through the blocks, `[tokens, width]`, with the features that are still to be
/// added to them.
///
/// Features are added when somebody reads what they are added to. At a full step that is the next branch. At a cached step
/// most branches are forecast and nobody reads: then the features of many blocks are added in one pass over the hidden
/// states, and the few tokens that are computed anew are formed for themselves. Each number is the same sum in the same
/// order either way, also where forecasts are summed apart (``StreamSumming``), and before the step begins.
///
/// Not thread-safe: it belongs to one step of one sample.
public final class ResidualStream {
  /// Where features are summed apart, as the step began.
  private var states: StackedRows
  private let summing: StreamSumming
  private var sums: StreamSums
  private var pending: [(feature: Feature, gate: Tensor?)] = []
  private let summedRows: Range<Int>
  /// Rows of terms that were read for single tokens, since the sums were last up to date.
  private var rowsReadAhead = 0

  /// - Parameters:
  ///   - sums: what blocks before have summed apart.
  ///   - summedRows: the tokens that are brought up to date; the others stay what they are. All unless given.
  public convenience init(
    _ states: Tensor, summing: StreamSumming = .directly, sums: StreamSums = StreamSums(), summedRows: Range<Int>? = nil
  ) {
    self.init(StackedRows([states]), summing: summing, sums: sums, summedRows: summedRows)
  }

  private init(_ states: StackedRows, summing: StreamSumming, sums: StreamSums, summedRows: Range<Int>?) {
    let summedRows = summedRows ?? 0..<states.rows
    precondition(summedRows.lowerBound >= 0 && summedRows.upperBound <= states.rows, "no rows \(summedRows)")
    self.states = states
    self.summing = summing
    self.sums = sums
    self.summedRows = summedRows
  }

  /// One stream of the tokens of several, one below the other, which are not used any more.
  public convenience init(joining streams: [ResidualStream], summedRows: Range<Int>? = nil) {
    for stream in streams { stream.settle() }
    var sums = StreamSums()
    if streams.contains(where: { $0.sums.forecasts != nil }) {
      sums.forecasts = Tensor.concatenated(
        rows: streams.map { $0.sums.forecasts ?? Tensor(zeros: [$0.tokens, $0.width]) })
    }
    sums.gates = streams.flatMap(\.sums.gates)
    var firstRow = 0
    for stream in streams {
      for change in stream.sums.changes {
        sums.changes.append(.init(firstRow: firstRow + change.firstRow, change: change.change))
      }
      firstRow += stream.tokens
    }
    let states = StackedRows(streams.flatMap(\.states.parts))
    // Forecasts that are summed already are those of the picture.
    let summing = streams.map(\.summing).first { if case .apart(nil) = $0 { false } else { true } }
    self.init(states, summing: summing ?? streams[0].summing, sums: sums, summedRows: summedRows)
  }

  public var tokens: Int { states.rows }
  public var width: Int { states.columns }

  /// Adds gate ⊙ feature.
  ///
  /// - Parameter gate: `[width]`, the same for all tokens; 1 if nil.
  public func add(_ feature: Feature, gate: Tensor? = nil) {
    precondition(feature.has(elements: states.count), "the feature has another size")
    precondition(gate.map { $0.count == width } ?? true, "a gate has one value a column")
    switch summing {
    case .directly: pending.append((feature, gate))
    case .apart:
      pending.append((feature, gate))
      if let change = feature.change { sums.add(change, gate: gate) }
    case .planning(let plan): plan.add(feature, gate: gate, firstRow: summedRows.lowerBound)
    }
  }

  /// The hidden states of all tokens, `[tokens, width]`.
  public var all: Tensor {
    settle()
    guard case .apart(let ahead) = summing else { return states.joined }
    guard let forecasts = ahead?.total ?? sums.forecasts else {
      precondition(sums.changes.isEmpty, "outputs that fresh tokens change are forecast")
      return states.joined
    }
    // Those that were summed before are those of the summed rows alone.
    precondition(ahead == nil || forecasts.rows == summedRows.count, "the forecasts are of other tokens")
    return states.adding(forecasts, from: ahead == nil ? 0 : summedRows.lowerBound, sums.changes, to: summedRows)
  }

  /// The hidden states, with what is still to be added to them.
  public var apart: (states: Tensor, sums: StreamSums) {
    settle()
    return (states.joined, sums)
  }

  /// The hidden states of tokens that a branch computes anew, `[tokens.count, width]`; the others wait further on.
  public func gathered(tokens: [Int], for branch: Branch) -> Tensor {
    switch summing {
    case .directly: return withPending(states.gathered(rows: tokens), of: tokens)
    case .planning: preconditionFailure("a step that is only planned computes nothing")
    case .apart(let ahead):
      var rows: Tensor
      if let forecasts = ahead?.rows(of: branch) ?? forecasts(of: tokens, from: ahead?.startRows(of: branch)) {
        rows = forecasts
        states.add(rows: tokens, to: &rows)
      } else {
        rows = states.gathered(rows: tokens)
      }
      sums.addChanges(to: &rows, tokens: tokens)
      return rows
    }
  }

  /// What the forecasts of tokens add up to so far, if there are any.
  ///
  /// - Parameter start: what those of the blocks before add up to where that was known beforehand.
  private func forecasts(of tokens: [Int], from start: Tensor?) -> Tensor? {
    if let known = start ?? sums.forecasts?.gathered(rows: tokens) { return withPending(known, of: tokens) }
    return pending.isEmpty ? nil : withPending(Tensor(zeros: [tokens.count, width]), of: tokens)
  }

  /// Adds the features that wait to the rows of some tokens.
  private func withPending(_ rows: Tensor, of tokens: [Int]) -> Tensor {
    // It is cheaper to bring all up to date than to read again and again what waits: by then as much as that takes has
    // been read for single tokens.
    rowsReadAhead += tokens.count * pending.reduce(0) { $0 + $1.feature.coefficients.count }
    var rows = rows
    let width = width
    rows.withUnsafeMutableElements { rows in
      guard let rows = rows.baseAddress else { return }
      let additions = pending.map(Addition.init)
      ThreadPool.shared.forEach(tokens.count) { place in
        for addition in additions {
          addition.add(to: rows + place * width, rows: tokens[place]..<tokens[place] + 1, width: width)
        }
      }
    }
    if rowsReadAhead > 2 * summedRows.count, !isSummedAhead { settle() }
    return rows
  }

  private var isSummedAhead: Bool { if case .apart(.some) = summing { true } else { false } }

  /// Adds what waits to the hidden states, or to the forecasts that are summed apart.
  private func settle() {
    guard !pending.isEmpty, !isSummedAhead else { return }
    if case .apart = summing {
      var forecasts = sums.forecasts ?? Tensor(zeros: [tokens, width])
      sums.forecasts = nil  // so that it is changed in place
      addPending(to: &forecasts)
      sums.forecasts = forecasts
    } else {
      addPending(to: &states.joined)
    }
    pending = []
    rowsReadAhead = 0
  }

  private func addPending(to target: inout Tensor) {
    let (width, first) = (target.columns, summedRows.lowerBound)
    target.withUnsafeMutableElements { target in
      guard let target = target.baseAddress else { return }
      let additions = pending.map(Addition.init)
      // What a piece changes stays in a core's own cache while all features go by.
      Tensor.forEachRowRange(rows: summedRows.count, columns: width) { range in
        let rows = first + range.lowerBound..<first + range.upperBound
        for addition in additions { addition.add(to: target + rows.lowerBound * width, rows: rows, width: width) }
      }
    }
  }

  /// A feature that waits, as kernels take it: good as long as that waits.
  private struct Addition {
    private let terms: [clusca_term]
    private let coefficients: [Float]
    private let gate: UnsafePointer<Float>?

    init(_ feature: Feature, gate: Tensor?) {
      (terms, coefficients, self.gate) = (feature.kernelTerms, feature.coefficients, gate?.start)
    }

    /// Adds some rows of the feature to as many rows.
    func add(to target: UnsafeMutablePointer<Float>, rows: Range<Int>, width: Int) {
      terms.add(to: target, rows: rows, width: width, coefficients: coefficients, gate: gate)
    }
  }
}

extension StreamSums {
  /// Adds gate ⊙ change, of all tokens of a stream that was not joined with others.
  fileprivate mutating func add(_ change: FreshChange, gate: Tensor?) {
    if changes.isEmpty {
      // Other blocks change other tokens.
      let sum = FreshChange(labels: change.labels, width: change.width, room: 8 * change.tokens.count)
      changes = [PlacedChange(firstRow: 0, change: sum)]
    }
    changes[0].change.add(change, gate: gate)
    gates.append(gate ?? Tensor(repeating: 1, shape: [change.width]))
  }

  /// Adds what tokens have of the changes to as many rows.
  fileprivate func addChanges(to rows: inout Tensor, tokens: [Int]) {
    let width = rows.columns
    rows.withUnsafeMutableElements { rows in
      guard let rows = rows.baseAddress else { return }
      for placed in changes {
        for (place, token) in tokens.enumerated() where placed.rows.contains(token) {
          let token = token - placed.firstRow
          placed.change.add(to: rows + place * width, tokens: token..<token + 1)
        }
      }
    }
  }
}

extension StackedRows {
  /// Hidden states as a step began, with all that was summed apart: first the forecasts, then the changes.
  ///
  /// - Parameters:
  ///   - firstForecast: the row of the first forecast.
  ///   - summed: the rows to which anything is added.
  fileprivate func adding(
    _ forecasts: Tensor, from firstForecast: Int, _ changes: [StreamSums.PlacedChange], to summed: Range<Int>
  ) -> Tensor {
    var result = Tensor(uninitialized: [rows, columns])
    let width = columns
    result.withUnsafeMutableElements { result in
      forecasts.withUnsafeElements { forecasts in
        guard let result = result.baseAddress, let forecasts = forecasts.baseAddress else { return }
        Tensor.forEachRowRange(rows: rows, columns: width) { range in
          copy(rows: range, to: result + range.lowerBound * width)
          let range = range.clamped(to: summed)
          guard !range.isEmpty else { return }
          kernels.add(
            result + range.lowerBound * width, forecasts + (range.lowerBound - firstForecast) * width,
            range.count * width)
          for placed in changes {
            let changed = range.clamped(to: placed.rows)
            guard !changed.isEmpty else { continue }
            placed.change.add(
              to: result + changed.lowerBound * width,
              tokens: changed.lowerBound - placed.firstRow..<changed.upperBound - placed.firstRow)
          }
        }
      }
    }
    return result
  }
}
