import CKernels
import Tensors

/// What fresh tokens have changed since the last full step: something for each cluster, the same for all of its tokens, and
/// something for each token that was computed itself.
///
/// It is small, where the outputs that it changes are as large as the hidden states: `[clusters + fresh tokens, width]`.
public struct FreshChange: Sendable {
  /// The cluster of each token.
  public let labels: [Int32]
  /// What tokens of a cluster have in common, `[clusters, width]`; nil as long as that is nothing.
  public private(set) var table: Tensor?
  /// The tokens that have something of their own, in the order in which they came.
  public private(set) var tokens: [Int] = []
  public let width: Int
  /// Of ``tokens``, `[capacity, width]`, of which the first rows are used; each is to be multiplied by its factor.
  private var values: Tensor
  private var factors: [Float] = []
  private var places: [Int: Int] = [:]

  /// One with nothing but what clusters have in common, `[clusters, width]`, if that.
  ///
  /// - Parameter room: so many tokens are likely to have something of their own; there may be more.
  init(labels: [Int32], width: Int, table: Tensor? = nil, room: Int = 0) {
    self.labels = labels
    self.width = width
    self.table = table
    values = Tensor(uninitialized: [min(room, labels.count), width])
  }

  /// The most bytes of one that has room for so many tokens from the start.
  static func byteCount(clusters: Int, freshTokens: Int, width: Int) -> Int {
    guard freshTokens > 0 else { return 0 }
    return (clusters + freshTokens) * width * MemoryLayout<Float>.stride
  }

  /// Rows that have room, twice as many each time, so that most are moved once or never.
  private static func capacity(for rows: Int) -> Int {
    sequence(first: 16) { 2 * $0 }.first { $0 >= rows } ?? rows
  }

  public var byteCount: Int { values.byteCount + (table?.byteCount ?? 0) }

  /// Where what each token has of its own stands, if anything, and its factor; good as long as this lives and is not changed.
  var ownRows: (starts: [UnsafePointer<Float>?], factors: [Float]) {
    var starts = [UnsafePointer<Float>?](repeating: nil, count: labels.count)
    var ownFactors = [Float](repeating: 0, count: labels.count)
    for (place, token) in tokens.enumerated() {
      (starts[token], ownFactors[token]) = (values.start + place * width, factors[place])
    }
    return (starts, ownFactors)
  }

  /// Where that stands.
  var memory: [Tensor] { [values] + (table.map { [$0] } ?? []) }

  /// The rows of ``tokens``, `[tokens.count, width]`.
  public var rows: Tensor {
    var rows = values.rows(0..<tokens.count)
    rows.withUnsafeMutableElements { rows in
      for (place, factor) in factors.enumerated() where factor != 1 {
        for column in place * width..<(place + 1) * width { rows[column] *= factor }
      }
    }
    return rows
  }

  // MARK: - Changing it

  /// Moves clusters towards their targets: cluster = (1 − share) · cluster + share · target. What single tokens of these
  /// clusters have of their own shrinks in the same proportion.
  ///
  /// - Parameters:
  ///   - targets: `[clusters, width]`
  ///   - moved: the clusters that move.
  mutating func move(towards targets: Tensor, by share: Float, where moved: [Bool]) {
    var table = table ?? Tensor(zeros: targets.shape)
    self.table = nil  // so that it is changed in place
    table.withUnsafeMutableElements { table in
      targets.withUnsafeElements { targets in
        guard let table = table.baseAddress, let targets = targets.baseAddress else { return }
        for (cluster, moved) in moved.enumerated() where moved {
          kernels.scale_add(table + cluster * width, 1 - share, targets + cluster * width, share, width)
        }
      }
    }
    self.table = table
    for (place, token) in tokens.enumerated() where moved[Int(labels[token])] { factors[place] *= 1 - share }
  }

  /// What single tokens have of their own shrinks.
  mutating func shrinkRows(by factor: Float) { for place in factors.indices { factors[place] *= factor } }

  /// What a token has of its own before it shrank; it must have something.
  func unshrunkenRow(of token: Int) -> Tensor {
    guard let place = places[token] else { preconditionFailure("the token \(token) has nothing of its own") }
    return values.rows(place..<place + 1)
  }

  /// The row of a token, to be changed; one that is new holds nothing yet.
  mutating func withRow(of token: Int, _ body: (_ row: UnsafeMutablePointer<Float>, _ isNew: Bool) -> Void) {
    let known = places[token]
    let place = known ?? append(token)
    let (factor, width) = (factors[place], width)
    factors[place] = 1
    values.withUnsafeMutableElements { values in
      guard let values = values.baseAddress else { return }
      let row = values + place * width
      if known != nil, factor != 1 { for column in 0..<width { row[column] *= factor } }
      body(row, known == nil)
    }
  }

  private mutating func append(_ token: Int) -> Int {
    let place = tokens.count
    if place == values.rows {
      let grown = Tensor(uninitialized: [Self.capacity(for: place + 1), width])
      values = Tensor.filled(grown, with: values)
    }
    tokens.append(token)
    factors.append(1)
    places[token] = place
    return place
  }

  /// self += gate ⊙ change. Both have the same clusters.
  ///
  /// - Parameter gate: `[width]`; 1 if nil.
  mutating func add(_ change: FreshChange, gate: Tensor?) {
    precondition(change.width == width && change.labels.count == labels.count, "the changes are of different streams")
    if let moved = change.table {
      var sum = table ?? Tensor(zeros: moved.shape)
      table = nil  // so that it is changed in place
      sum.add(Feature(moved), gate: gate)
      table = sum
    }
    let targets = change.tokens.map { token in
      let known = places[token]
      return (place: known ?? append(token), isNew: known == nil)
    }
    precondition(factors.allSatisfy { $0 == 1 }, "a sum of changes is never scaled")
    let width = width
    values.withUnsafeMutableElements { values in
      guard let values = values.baseAddress else { return }
      var source = clusca_term(wide: change.values.start, narrow: nil)
      withUnsafePointer(to: gate?.start) { gates in
        for (place, target) in targets.enumerated() {
          var row: UnsafeMutablePointer<Float>? = values + target.place * width
          if target.isNew { row?.update(repeating: 0, count: width) }
          var factor = change.factors[place]
          kernels.add_gated_sums(&row, 1, place, 1, width, gate == nil ? nil : gates, &source, &factor, 1)
        }
      }
      withExtendedLifetime((change, gate)) {}
    }
  }

  // MARK: - Adding it

  /// Adds what some tokens have to as many rows: first what their clusters have in common, then their own.
  func add(to target: UnsafeMutablePointer<Float>, tokens: Range<Int>) {
    table?.withUnsafeElements { table in
      for token in tokens {
        kernels.add(
          target + (token - tokens.lowerBound) * width, table.baseAddress! + Int(labels[token]) * width, width)
      }
    }
    guard !places.isEmpty else { return }
    values.withUnsafeElements { values in
      for token in tokens {
        guard let place = places[token] else { continue }
        let row = target + (token - tokens.lowerBound) * width
        kernels.scale_add(row, 1, values.baseAddress! + place * width, factors[place], width)
      }
    }
  }
}

/// The same changes of the same tokens, whatever room there is for more.
extension FreshChange: Equatable {
  public static func == (left: FreshChange, right: FreshChange) -> Bool {
    left.labels == right.labels && left.table == right.table && left.tokens == right.tokens && left.rows == right.rows
  }
}

extension Tensor {
  /// A tensor whose first rows are those of another.
  fileprivate static func filled(_ target: Tensor, with source: Tensor) -> Tensor {
    var target = target
    target.withUnsafeMutableElements { target in
      source.withUnsafeElements { _ = target.update(fromContentsOf: $0) }
    }
    return target
  }
}
