import CKernels
import Tensors

/// The hidden states of a stream on their way through the blocks, `[tokens, width]`, with the features that are still to be
/// added to them.
///
/// Features are added when somebody reads what they are added to. At a full step that is the next branch. At a cached step
/// most branches are forecast and nobody reads: then the features of many blocks are added in one pass over the hidden
/// states, and the few tokens that are computed anew are formed for themselves. Each number is the same sum in the same
/// order either way.
///
/// Not thread-safe: it belongs to one step of one sample.
public final class ResidualStream {
  private var states: Tensor
  private var pending: [(feature: Feature, gate: Tensor?)] = []
  private let summedRows: Range<Int>
  /// Rows of terms that were read for single tokens, since the hidden states were last up to date.
  private var rowsReadAhead = 0

  /// - Parameter summedRows: the tokens that are brought up to date; the others stay what they are. All unless given.
  public init(_ states: Tensor, summedRows: Range<Int>? = nil) {
    let summedRows = summedRows ?? 0..<states.rows
    precondition(summedRows.lowerBound >= 0 && summedRows.upperBound <= states.rows, "no rows \(summedRows)")
    self.states = states
    self.summedRows = summedRows
  }

  public var tokens: Int { states.rows }
  public var width: Int { states.columns }

  /// Adds gate ⊙ feature.
  ///
  /// - Parameter gate: `[width]`, the same for all tokens; 1 if nil.
  public func add(_ feature: Feature, gate: Tensor? = nil) {
    precondition(feature.has(elements: states.count), "the feature has another size")
    precondition(gate.map { $0.count == width } ?? true, "a gate has one value a column")
    pending.append((feature, gate))
  }

  /// The hidden states of all tokens, `[tokens, width]`.
  public var all: Tensor {
    settle()
    return states
  }

  /// The hidden states of some tokens, `[tokens.count, width]`; the others wait further on.
  public func gathered(tokens: [Int]) -> Tensor {
    // It is cheaper to bring all up to date than to read again and again what waits: by then as much as that takes has
    // been read for single tokens.
    if rowsReadAhead > 2 * summedRows.count { settle() }
    rowsReadAhead += tokens.count * pending.reduce(0) { $0 + $1.feature.coefficients.count }
    var rows = states.gathered(rows: tokens)
    let width = width
    rows.withUnsafeMutableElements { rows in
      guard let rows = rows.baseAddress else { return }
      withPending { pending in
        ThreadPool.shared.forEach(tokens.count) { place in
          for addition in pending {
            addition.add(to: rows + place * width, rows: tokens[place]..<tokens[place] + 1, width: width)
          }
        }
      }
    }
    return rows
  }

  private func settle() {
    guard !pending.isEmpty else { return }
    let (width, first) = (width, summedRows.lowerBound)
    states.withUnsafeMutableElements { states in
      guard let states = states.baseAddress else { return }
      withPending { pending in
        // What a piece changes stays in a core's own cache while all features go by.
        Tensor.forEachRowRange(rows: summedRows.count, columns: width) { range in
          let rows = first + range.lowerBound..<first + range.upperBound
          for addition in pending { addition.add(to: states + rows.lowerBound * width, rows: rows, width: width) }
        }
      }
    }
    pending = []
    rowsReadAhead = 0
  }

  /// A feature that waits, as kernels take it.
  private struct Addition {
    let terms: [clusca_term]
    let coefficients: [Float]
    let gate: UnsafePointer<Float>?

    /// Adds some rows of the feature to as many rows.
    func add(to target: UnsafeMutablePointer<Float>, rows: Range<Int>, width: Int) {
      withUnsafeTemporaryAllocation(of: clusca_term.self, capacity: terms.count) { moved in
        for (index, term) in terms.enumerated() {
          moved.initializeElement(at: index, to: term.advanced(by: rows.lowerBound * width))
        }
        kernels.add_gated_sum(target, rows.count, width, gate, moved.baseAddress, coefficients, terms.count)
      }
    }
  }

  private func withPending(_ body: ([Addition]) -> Void) {
    func open(_ index: Int, _ additions: [Addition]) {
      guard index < pending.count else { return body(additions) }
      let (feature, gate) = pending[index]
      feature.withTerms { terms in
        Tensor.withElements(gate, nil) { gate, _ in
          open(index + 1, additions + [Addition(terms: terms, coefficients: feature.coefficients, gate: gate)])
        }
      }
    }
    open(0, [])
  }
}
