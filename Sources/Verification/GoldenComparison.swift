import Synchronization
import Tensors

/// Compares tensors with the recorded ones of a case, as they come about.
///
/// Every recorded tensor that is a result must be met: one that nobody compares counts as a failure at the end.
final class GoldenComparison: Sendable {
  let golden: GoldenCase
  let recorded: TensorStore
  private let state = Mutex(State())

  private struct State {
    var report = Report()
    /// Rows of a batch that have come so far.
    var rows: [String: [Int: [Double]]] = [:]
    var compared: Set<String> = []
  }

  /// The worst of what was compared.
  struct Report: Sendable {
    var tensors = 0
    /// Error over tolerance, and whose it is; the largest of all tensors.
    var worst: TensorError? = nil
    var failures: [String] = []

    struct TensorError: Sendable {
      var name: String
      var error: Double
      var limit: Double
      var ratio: Double { limit > 0 ? error / limit : error == 0 ? 0 : .infinity }
    }
  }

  init(_ golden: GoldenCase) throws {
    self.golden = golden
    recorded = try TensorStore(file: golden.file)
  }

  // MARK: Reading what was recorded

  func contains(_ name: String) -> Bool { recorded.contains(name) }

  func input(_ name: String) throws -> Tensor { try Tensor(recorded.tensor(name)) }

  func integers(_ name: String) throws -> [Int64] { try recorded.tensor(name).int64Values() }

  /// Row `row` of a recorded batch, without the batch's dimension.
  func input(_ name: String, row: Int) throws -> Tensor {
    let stored = try recorded.tensor(name)
    return try Tensor(stored.rows(row..<row + 1)).reshaped(Array(stored.shape.dropFirst()))
  }

  /// The rows of a recorded batch.
  func batch(_ name: String) throws -> Int { try recorded.tensor(name).shape.first ?? 1 }

  // MARK: Comparing

  /// Compares one sample's tensor with its row of the recorded batch; nothing if no tensor of that name was recorded.
  func check(_ name: String, _ tensor: Tensor, row: Int = 0) {
    guard recorded.contains(name) else { return }
    check(name, tensor.elements.map(Double.init), row: row)
  }

  func check(_ name: String, integers: [Int64], row: Int = 0) {
    guard recorded.contains(name) else { return }
    check(name, integers.map(Double.init), row: row)
  }

  /// Compares numbers; the tolerance of the case decides for floating-point numbers, whole ones must be equal.
  func check(_ name: String, _ values: [Double], row: Int = 0) {
    guard let stored = recorded[name] else { return }
    state.withLock { state in
      var rows = state.rows.removeValue(forKey: name) ?? [:]
      rows[row] = values
      let count = rows.values.reduce(0) { $0 + $1.count }
      guard count >= stored.elementCount else {
        state.rows[name] = rows
        return
      }
      state.compared.insert(name)
      compare(name, rows.sorted { $0.key < $1.key }.flatMap(\.value), stored, &state.report)
    }
  }

  /// Notes that a tensor cannot be computed, and why.
  func fail(_ reason: String) {
    state.withLock { $0.report.failures.append(reason) }
  }

  /// What came out, with every recorded result that nobody compared as a failure.
  ///
  /// - Parameter isInput: tells the recorded tensors that were fed in and are no results.
  func finish(isInput: (String) -> Bool = { $0.hasPrefix("in.") }) -> Report {
    state.withLock { state in
      for name in recorded.names.sorted() where !isInput(name) && !state.compared.contains(name) {
        let rows = state.rows[name].map { "; only rows \($0.keys.sorted()) were" } ?? ""
        state.report.failures.append("\(name) was not computed\(rows)")
      }
      return state.report
    }
  }

  private func compare(_ name: String, _ values: [Double], _ stored: StoredTensor, _ report: inout Report) {
    report.tensors += 1
    guard values.count == stored.elementCount else {
      report.failures.append("\(name) has \(values.count) elements, but \(stored.elementCount) were recorded")
      return
    }
    do {
      if stored.dtype.isFloatingPoint {
        try compareNumbers(name, values, stored, &report)
      } else if name.hasSuffix("_u8") || name.hasSuffix(".u8") {
        try compareSamples(name, values, stored.int64Values(), &report)
      } else {
        let differing = zip(values, try stored.int64Values()).count { $0 != Double($1) }
        if differing > 0 { report.failures.append("\(name) differs in \(differing) of \(values.count) whole numbers") }
      }
    } catch {
      report.failures.append("\(error)")
    }
  }

  private func compareNumbers(
    _ name: String, _ values: [Double], _ stored: StoredTensor, _ report: inout Report
  ) throws {
    let expected = try stored.float32Values().map(Double.init)
    var largest = 0.0
    var squares = 0.0
    for (value, reference) in zip(values, expected) {
      let difference = value == reference ? 0 : abs(value - reference)
      // NaN must not be overlooked: it is larger than nothing.
      largest = difference.isNaN ? .infinity : max(largest, difference)
      squares += reference * reference
    }
    let rms = (squares / Double(max(1, expected.count))).squareRoot()
    let error = golden.tolerance.isAbsolute || rms == 0 ? largest : largest / rms
    let met = Report.TensorError(name: name, error: error, limit: golden.tolerance.limit(name))
    if met.ratio > report.worst?.ratio ?? -1 { report.worst = met }
    if !(met.ratio <= 1) {
      report.failures.append("\(name) is off by \(error.scientific), more than \(met.limit.scientific)")
    }
  }

  /// Samples of a picture may be one apart, where a number lies at the edge of two: in one sample of 500, or in two.
  private func compareSamples(
    _ name: String, _ values: [Double], _ expected: [Int64], _ report: inout Report
  ) throws {
    var apart = 0
    for (value, reference) in zip(values, expected) where value != Double(reference) {
      apart += 1
      if abs(value - Double(reference)) > 1 { apart = .max / 2 }
    }
    if apart > max(2, values.count / 500) {
      let extent = apart >= .max / 2 ? "by more than one" : "in \(apart) of \(values.count) samples"
      report.failures.append("\(name) differs \(extent)")
    }
  }
}
