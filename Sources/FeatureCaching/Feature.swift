import CKernels
import Tensors

/// The output of a residual branch, as a sum Σ coefficientᵢ · termᵢ that is formed only when it is added to something:
/// a computed output is one term, a forecast has one term an order. What fresh tokens have changed comes on top.
public struct Feature: Sendable {
  /// `[tokens, width]` each.
  public let terms: [FeatureTensor]
  /// One for each term.
  public let coefficients: [Float]
  public let change: FreshChange?

  /// An output that was computed, `[tokens, width]`.
  public init(_ output: Tensor) {
    self.init(terms: [FeatureTensor(output)], coefficients: [1])
  }

  /// - Parameter terms: at least one, of one shape, and as many as there are coefficients.
  public init(terms: [FeatureTensor], coefficients: [Float], change: FreshChange? = nil) {
    precondition(!terms.isEmpty && terms.count == coefficients.count, "each term has a coefficient")
    self.terms = terms
    self.coefficients = coefficients
    self.change = change
  }

  /// Whether all terms have so many elements.
  func has(elements count: Int) -> Bool { terms.allSatisfy { $0.count == count } }

  /// The terms as kernels take them; the pointers are good as long as the feature lives.
  var kernelTerms: [clusca_term] { terms.map(\.term) }
}

extension [clusca_term] {
  /// Adds gate ⊙ Σ coefficientᵢ · termᵢ, of some rows of the terms, to as many rows.
  func add(
    to target: UnsafeMutablePointer<Float>, rows: Range<Int>, width: Int, coefficients: [Float],
    gate: UnsafePointer<Float>?
  ) {
    withUnsafePointer(to: target as UnsafeMutablePointer<Float>?) { target in
      withUnsafePointer(to: gate) { gates in
        kernels.add_gated_sums(
          target, 1, rows.lowerBound, rows.count, width, gate == nil ? nil : gates, self, coefficients, count)
      }
    }
  }
}

extension Tensor {
  /// self += gate ⊙ Σ coefficientᵢ · termᵢ, in one pass over the memory. self has as many elements as each term.
  ///
  /// - Parameter gate: `[width]`, the same for all tokens; 1 if nil.
  public mutating func add(_ feature: Feature, gate: Tensor? = nil) {
    let (rows, columns) = (rows, columns)
    precondition(feature.has(elements: count), "the feature has another size than \(shape)")
    precondition(gate.map { $0.count == columns } ?? true, "a gate has one value a column")
    withUnsafeMutableElements { x in
      guard let x = x.baseAddress else { return }
      let terms = feature.kernelTerms
      Self.forEachRowRange(rows: rows, columns: columns * (terms.count + 1)) { range in
        terms.add(
          to: x + range.lowerBound * columns, rows: range, width: columns, coefficients: feature.coefficients,
          gate: gate?.start)
      }
      withExtendedLifetime((feature, gate)) {}
    }
    guard let change = feature.change else { return }
    var gated = FreshChange(labels: change.labels, width: change.width)
    gated.add(change, gate: gate)
    add(gated)
  }

  /// self += change, for all of its tokens.
  mutating func add(_ change: FreshChange) {
    let (rows, columns) = (rows, columns)
    withUnsafeMutableElements { x in
      guard let x = x.baseAddress else { return }
      Self.forEachRowRange(rows: rows, columns: columns) { range in
        change.add(to: x + range.lowerBound * columns, tokens: range)
      }
    }
  }
}

extension Feature {
  /// The sum, formed: `[tokens, width]`. For those who look inside; blocks add a feature without it.
  public var sum: Tensor {
    if coefficients == [1], change == nil { return terms[0].widened }
    var sum = Tensor(zeros: terms[0].shape)
    sum.add(self)
    return sum
  }
}
