import Synchronization
import Tensors

/// What a timestep is to the blocks of a stage: the vectors that modulate them.
public struct Conditioning: Sendable {
  /// The steps of a sample that are computed at a time, which bounds what it keeps.
  public static let stepsAtOnce = 64

  /// `[1, width]` each, SiLU applied: one, unless blocks or embedders have their own.
  private let vectors: [Tensor]
  /// What the maps of adaLN make of them, `[width]` each, as far as it is known beforehand.
  let modulated: [ObjectIdentifier: [Tensor]]

  /// - Parameter vectors: `[vectors, width]`
  init(_ vectors: Tensor, modulated: [ObjectIdentifier: [Tensor]] = [:]) {
    self.vectors = (0..<vectors.rows).map { vectors.rows($0..<$0 + 1) }
    self.modulated = modulated
  }

  /// One of the vectors.
  func vector(_ index: Int) -> ModulationVector {
    ModulationVector(vectors[index], modulated: modulated)
  }
}

/// The vector that modulates a block, `[1, width]`, SiLU applied.
package struct ModulationVector: Sendable {
  let vector: Tensor
  let modulated: [ObjectIdentifier: [Tensor]]

  package init(_ vector: Tensor) { self.init(vector, modulated: [:]) }

  init(_ vector: Tensor, modulated: [ObjectIdentifier: [Tensor]]) {
    self.vector = vector
    self.modulated = modulated
  }
}

/// The conditioning of one sample for many timesteps at once.
///
/// The maps of adaLN hold a quarter of FLUX's weights, and a step has a single vector for them: all their weights would come
/// from memory for two operations each. Here they come once for many steps, and for two samples that begin together, such
/// as the rows of guidance. Rows of a product do not depend on each other, so the numbers are those of a step alone.
final class ConditioningTable: Sendable {
  /// A map of adaLN, and which of a step's vectors it takes.
  typealias Map = (norm: AdaLayerNorm, vector: Int)

  fileprivate let timesteps: [Float]
  private let vectors: @Sendable (_ timestep: Float) -> Tensor
  private let others: ConditioningTables
  private let window = Mutex<[Float: Conditioning]>([:])

  fileprivate init(
    timesteps: [Float], among others: ConditioningTables, vectors: @escaping @Sendable (_ timestep: Float) -> Tensor
  ) {
    (self.timesteps, self.others, self.vectors) = (timesteps, others, vectors)
  }

  /// The conditioning of a timestep; of one that is not among those of the run, nothing is known beforehand.
  ///
  /// - Parameter maps: those of the stage.
  func conditioning(timestep: Float, maps: @autoclosure () -> [Map]) -> Conditioning {
    guard let place = timesteps.firstIndex(of: timestep) else { return Conditioning(vectors(timestep)) }
    if let known = window.withLock({ $0[timestep] }) { return known }
    let steps = Array(timesteps[place..<min(timesteps.count, place + Conditioning.stepsAtOnce)])
    Self.compute(steps, [self] + (others.takeUnused(beside: self).map { [$0] } ?? []), maps())
    return window.withLock { $0[timestep] } ?? Conditioning(vectors(timestep))
  }

  private static func compute(_ steps: [Float], _ tables: [ConditioningTable], _ maps: [Map]) {
    // One table's steps behind the other's.
    let vectors = tables.flatMap { table in steps.map(table.vectors) }
    var modulated = [[ObjectIdentifier: [Tensor]]](repeating: [:], count: vectors.count)
    for (norm, vector) in maps {
      let all = norm(Tensor.concatenated(rows: vectors.map { $0.rows(vector..<vector + 1) }))  // [vectors, outputs]
      let parts = ThreadPool.shared.map(vectors.count) { norm.vectors(all, row: $0) }
      for row in parts.indices { modulated[row][norm.id] = parts[row] }
    }
    for (place, table) in tables.enumerated() {
      let rows = place * steps.count..<(place + 1) * steps.count
      let computed = zip(vectors[rows], modulated[rows]).map { Conditioning($0, modulated: $1) }
      table.window.withLock { $0 = Dictionary(zip(steps, computed), uniquingKeysWith: { first, _ in first }) }
    }
  }
}

/// Those of a stage that were not used yet.
final class ConditioningTables: Sendable {
  private struct Unused: Sendable {
    weak var table: ConditioningTable?
  }

  private let unused = Mutex<[Unused]>([])

  /// - Parameters:
  ///   - timesteps: of the run, in their order.
  ///   - vectors: gives the vectors of a timestep, `[vectors, width]`, SiLU applied.
  func table(timesteps: [Float], vectors: @escaping @Sendable (_ timestep: Float) -> Tensor) -> ConditioningTable {
    let table = ConditioningTable(timesteps: timesteps, among: self, vectors: vectors)
    unused.withLock { unused in
      unused.removeAll { $0.table == nil }
      unused.append(Unused(table: table))
    }
    return table
  }

  /// The oldest of the same timesteps as one that begins to be used, which is used with it; nil if there is none, or if that
  /// has been used before and has come further. More at once would keep a stage silent for long.
  fileprivate func takeUnused(beside table: ConditioningTable) -> ConditioningTable? {
    unused.withLock { unused in
      guard let own = unused.firstIndex(where: { $0.table === table }) else { return nil }
      unused.remove(at: own)
      guard let other = unused.firstIndex(where: { $0.table?.timesteps == table.timesteps }) else { return nil }
      return unused.remove(at: other).table
    }
  }
}
