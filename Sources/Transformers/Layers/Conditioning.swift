import Synchronization
import Tensors

/// What a timestep is to the blocks of a stage: the vectors that modulate them.
public struct Conditioning: Sendable {
  /// Steps that are computed at a time: up to so many, a product of float32 has one order of additions.
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
/// from memory for two operations each. Here they come once for many steps. Rows of a product do not depend on each
/// other, so the numbers are those of a step alone.
final class ConditioningTable: Sendable {
  /// A map of adaLN, and which of a step's vectors it takes.
  typealias Map = (norm: AdaLayerNorm, vector: Int)

  private let timesteps: [Float]
  private let window = Mutex<[Float: Conditioning]>([:])

  /// - Parameter timesteps: of the run, in their order.
  init(timesteps: [Float]) { self.timesteps = timesteps }

  /// The conditioning of a timestep; of one that is not among those of the run, nothing is known beforehand.
  ///
  /// - Parameters:
  ///   - maps: those of the stage.
  ///   - vectors: gives the vectors of a timestep, `[vectors, width]`, SiLU applied.
  func conditioning(timestep: Float, maps: @autoclosure () -> [Map], vectors: (Float) -> Tensor) -> Conditioning {
    guard let place = timesteps.firstIndex(of: timestep) else { return Conditioning(vectors(timestep)) }
    if let known = window.withLock({ $0[timestep] }) { return known }
    let steps = Array(timesteps[place..<min(timesteps.count, place + Conditioning.stepsAtOnce)])
    let ofSteps = steps.map(vectors)
    var modulated = [[ObjectIdentifier: [Tensor]]](repeating: [:], count: steps.count)
    for (norm, vector) in maps() {
      let all = norm(Tensor.concatenated(rows: ofSteps.map { $0.rows(vector..<vector + 1) }))  // [steps, outputs]
      for step in steps.indices { modulated[step][norm.id] = norm.vectors(all, row: step) }
    }
    let computed = Dictionary(
      zip(steps, zip(ofSteps, modulated).map { Conditioning($0, modulated: $1) }),
      uniquingKeysWith: { first, _ in first })
    window.withLock { $0 = computed }
    return computed[timestep] ?? Conditioning(vectors(timestep))
  }
}
