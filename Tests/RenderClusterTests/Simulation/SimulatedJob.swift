import Messaging
import Transformers

@testable import RenderCluster

/// A job, its denoiser, and what each step has to give. A step here is an order of the denoiser, which may be one to
/// measure.
final class SimulatedJob {
  enum State: Equatable {
    case future
    case submitted
    case started
    /// Its picture is on the way to the disk; of a job of the ledger.
    case storing
    /// Nothing is done about it now; of a job of the ledger.
    case idle
    case ended(JobEnding.Outcome)
  }

  struct KeptSnapshot {
    let attempt: UInt32
    let step: UInt32
    /// By block.
    var chain: [Int: UInt64] = [:]
    /// The blocks of each stage that are not here yet.
    var missing: [UInt32: Set<Int>] = [:]
  }

  struct Row {
    var snapshot: KeptSnapshot?
    var coming: KeptSnapshot?
    var isOpen = false
    /// By step.
    var latents: [UInt64] = []
    /// So many orders have been answered to processes before.
    var before = 0
    /// The step that the denoiser waits for.
    var waiting: Int?
    var done = 0
    /// The newest that has arrived.
    var output: (attempt: UInt32, step: UInt32, value: UInt64)?
    /// What the denoiser got last.
    var result: UInt64 = 0
    /// The newest of which latents were sent.
    var attempt: UInt32 = 0
  }

  /// From 1.
  let place: UInt64
  /// Another one when it is in a ledger.
  var id: UInt64
  /// Who wants it done; nil for a job of no ledger.
  var client: SimulatedClient?
  let facts: JobFacts
  let seed: UInt64
  let hasPrompt: Bool
  /// The step and the block at which any process dies.
  let poison: (step: Int, block: Int)?
  var state = State.future
  var rows: [Row]
  /// By row, what its orders gave: on the disk.
  var answers: [[UInt64]]
  var isCancelled = false
  /// The runtime has said that the job is over.
  var hasFailed = false
  /// What its task is going to tell.
  var failure: JobError?
  /// Why it failed.
  var reason: Reason?
  /// Faults of machines and networks since the job last got further, that it may be blamed for wrongly.
  var misfortunes = 0
  private(set) var references: [[(output: UInt64, label: UInt16?, signal: Float?)]] = []
  private(set) var referenceLatents: [UInt64] = []
  private(set) var referenceFinal: UInt64 = 0

  init(id: UInt64, facts: JobFacts, seed: UInt64, hasPrompt: Bool, poison: (step: Int, block: Int)?, numerics: UInt64) {
    self.id = id
    place = id
    self.facts = facts
    self.seed = seed
    self.hasPrompt = hasPrompt
    self.poison = poison
    rows = Array(repeating: Row(), count: facts.rows)
    answers = Array(repeating: [], count: facts.rows)
    render(numerics)
  }

  /// Whether a step of the job is only measured: the one between a full step and a cached one. Who waits for a process to
  /// die at a step must have it computed.
  func measures(_ step: Int) -> Bool { step % 3 == 1 && poison == nil && place.isMultiple(of: 5) }

  static func distance(_ step: Int) -> UInt32? { step % 3 == 0 ? nil : UInt32(step % 3) }

  func condition(_ row: Int) -> UInt64 { hasPrompt ? SimulatedCache.mix(seed, UInt64(row)) : 0 }

  /// What the sample's settings come to; they are told from everything else.
  func settings(_ row: Int) -> UInt64 { SimulatedCache.mix(seed, UInt64(row) | 1 << 40) }

  /// Without stages, faults and time.
  private func render(_ numerics: UInt64) {
    let blocks = 0..<facts.blocks.count
    var caches = (0..<facts.rows).map { SimulatedCache(blocks, condition: condition($0), settings: settings($0)) }
    references = Array(repeating: [], count: facts.rows)
    var latents = seed
    for step in 0..<facts.steps {
      referenceLatents.append(latents)
      for row in 0..<facts.rows {
        if measures(step) {
          references[row].append((0, nil, caches[row].measure(latents, numerics: numerics)))
        } else {
          let (output, label) = caches[row].compute(
            latents, step: step, distance: Self.distance(step), labels: labels(row, before: step), numerics: numerics)
          references[row].append((output, label, nil))
        }
      }
      if !measures(step) { latents = next(latents, outputs: references.map { $0[step].output }) }
    }
    referenceFinal = latents
  }

  /// Those of the last full step.
  func labels(_ row: Int, before step: Int) -> UInt16 {
    step == 0 ? 0 : references[row][(step - 1) / 3 * 3].label ?? 0
  }

  func next(_ latents: UInt64, outputs: [UInt64]) -> UInt64 { outputs.reduce(latents, SimulatedCache.mix) }

  func request(_ row: Int, _ step: Int) -> StepRequest {
    let label = labels(row, before: step)
    let labels = step == 0 ? [] : [LabelledStream(.image, tokens: 1, clusters: 65535)]
    return StepRequest(
      order: StepOrder(
        measures(step) ? .measure : Self.distance(step).map { .cached(distance: $0) } ?? .full, index: UInt32(step),
        timestep: Float(step),
        labels: labels),
      labels: step == 0 ? .empty : Payload([UInt8(truncatingIfNeeded: label), UInt8(label >> 8)]))
  }

  /// Begins anew, as the jobs of a coordinator do that was started again.
  func reset() {
    rows = Array(repeating: Row(), count: facts.rows)
    hasFailed = false
    failure = nil
    state = .submitted
  }

  /// What the last step comes to.
  var final: UInt64 {
    let last = facts.steps - 1
    return measures(last) ? rows[0].latents[last] : next(rows[0].latents[last], outputs: rows.map(\.result))
  }

  /// How it has ended, and why.
  var end: (JobEnding.Outcome, Reason?)? {
    if let client { return client.told.map { ($0.outcome, $0.reason) } }
    return if case .ended(let outcome) = state { (outcome, reason) } else { nil }
  }

  var isOver: Bool { if let client { client.told != nil } else if case .ended = state { true } else { false } }
}
