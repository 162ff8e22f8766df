import CKernels
import Tensors

/// The output of a residual branch, as a sum Σ coefficientᵢ · termᵢ that is formed only when it is added to something:
/// a computed output is one term, a forecast has one term an order.
public struct Feature: Sendable {
  /// `[tokens, width]` each.
  public let terms: [Tensor]
  /// One for each term.
  public let coefficients: [Float]

  /// An output that was computed, `[tokens, width]`.
  public init(_ output: Tensor) {
    self.init(terms: [output], coefficients: [1])
  }

  /// - Parameter terms: at least one, all of one shape; as many as there are coefficients.
  public init(terms: [Tensor], coefficients: [Float]) {
    precondition(!terms.isEmpty && terms.count == coefficients.count, "each term has a coefficient")
    self.terms = terms
    self.coefficients = coefficients
  }
}

extension Tensor {
  /// self += gate ⊙ Σ coefficientᵢ · termᵢ, in one pass over the memory. self has as many elements as each term.
  ///
  /// - Parameter gate: `[width]`, the same for all tokens; 1 if nil.
  public mutating func add(_ feature: Feature, gate: Tensor? = nil) {
    let (rows, columns) = (rows, columns)
    precondition(feature.terms.allSatisfy { $0.count == count }, "the feature has another size than \(shape)")
    precondition(gate.map { $0.count == columns } ?? true, "a gate has one value a column")
    withUnsafeMutableElements { x in
      guard let x = x.baseAddress else { return }
      Self.withElements(of: feature.terms) { terms in
        Self.withElements(gate, nil) { gate, _ in
          Self.forEachRowRange(rows: rows, columns: columns * (terms.count + 1)) { range in
            let start = range.lowerBound * columns
            let moved = terms.map { Optional($0 + start) }
            kernels.add_gated_sum(
              x + start, range.count, columns, gate, moved, feature.coefficients, moved.count)
          }
        }
      }
    }
  }
}

extension Feature {
  /// The sum, formed: `[tokens, width]`. For those who look inside; blocks add a feature without it.
  public var sum: Tensor {
    if coefficients == [1] { return terms[0] }
    var sum = Tensor(zeros: terms[0].shape)
    sum.add(self)
    return sum
  }
}
