import FeatureCaching
import Messaging
import Rendering
import Tensors
import Transformers

/// A stage whose blocks are loaded, with its line to the next.
struct LoadedStage: Sendable {
  let assignment: Assignment
  let number: UInt32
  let epoch: UInt64
  let model: any DiffusionTransformer
  let runner: StageRunner
  let line: TensorLine

  /// Reads the weights, which takes its time.
  static func load(
    _ assignment: Assignment, epoch: UInt64, _ number: UInt32, _ configuration: WorkerConfiguration,
    incarnation: UInt64, report: @escaping @Sendable (StageOutcome) -> Void
  ) async throws -> LoadedStage {
    guard let model = configuration.models.first(where: { $0.digest == assignment.model }) else {
      throw WireError("There is no model \(assignment.model.shortText) here")
    }
    guard let next = assignment.next else { throw WireError("The stage has no successor") }
    let blocks = Int(assignment.blocks.lowerBound)..<Int(assignment.blocks.upperBound)
    let precision: Precision = assignment.precision == .float32 ? .float32 : .bfloat16
    let transformer = try model.load(precision, blocks)
    guard blocks.upperBound <= transformer.blockCount else { throw WireError("The model has no such blocks") }
    let hello = Hello(
      build: configuration.build, role: .worker, name: LineName.stage(number), incarnation: incarnation)
    let line = try await TensorLine.open(
      to: Endpoint(next.address), security: configuration.security.client(next.key), hello: hello
    ) { event in
      switch event {
      case .refused(_, let refusal): configuration.note("The next stage refused a tensor: \(refusal.text)")
      case .unreachable(let reason): configuration.note("The next stage cannot be reached: \(reason).")
      }
    }
    return LoadedStage(
      assignment: assignment, number: number, epoch: epoch, model: transformer,
      runner: StageRunner(try Stage(transformer), report: report), line: line)
  }
}

extension Stage.Output {
  /// What goes on, under the names that it travels by.
  var tensors: [(stream: WireStream, tensor: Tensor)] {
    switch self {
    case .output(let output): [(.output, output)]
    case .state(let state):
      TokenStream.allCases.compactMap { stream in state.streams[stream].map { (stream.wire, $0) } }
    }
  }
}
