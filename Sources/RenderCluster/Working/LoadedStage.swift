import FeatureCaching
import Files
import Messaging
import Rendering
import Tensors
import Transformers

/// A stage whose blocks are loaded, with its line to the next.
struct LoadedStage: Sendable {
  var assignment: Assignment
  let number: UInt32
  let model: any DiffusionTransformer
  let runner: StageRunner
  var line: TensorLine
  /// Whether the line is the stage's own; that to the coordinator is the worker's.
  let ownsLine: Bool

  var isLast: Bool { number + 1 == assignment.stages }

  /// Reads the weights, which takes its time.
  ///
  /// - Parameters:
  ///   - attempt: the number of the assignment.
  ///   - line: to the coordinator, for the last stage; others make one to the next.
  static func load(
    _ assignment: Assignment, epoch: UInt64, attempt: UInt32, _ number: UInt32, _ configuration: WorkerConfiguration,
    line: TensorLine?, report: @escaping @Sendable (StageOutcome) -> Void
  ) async throws -> LoadedStage {
    guard let model = configuration.models.first(where: { $0.digest == assignment.model }) else {
      throw WireError("There is no model \(assignment.model.shortText) here")
    }
    guard let next = assignment.next else { throw WireError("The stage has no successor") }
    let blocks = Int(assignment.blocks.lowerBound)..<Int(assignment.blocks.upperBound)
    FaultPoint.reach("stage.load.before")
    let transformer = try model.load(Precision(assignment.precision), blocks)
    guard blocks.upperBound <= transformer.blockCount else { throw WireError("The model has no such blocks") }
    let runner = StageRunner(try Stage(transformer), report: report)
    let own =
      line == nil
      ? try await configuration.openLine(
        to: next, "The next stage", as: LineName.stage(number),
        incarnation: LineName.incarnation(epoch: epoch, attempt: attempt)) : nil
    guard let used = line ?? own else { preconditionFailure("there is a line") }
    FaultPoint.reach("stage.load.after")
    return LoadedStage(
      assignment: assignment, number: number, model: transformer, runner: runner, line: used,
      ownsLine: own != nil)
  }
}

extension WorkerConfiguration {
  /// - Parameters:
  ///   - name: of whom it goes to, for people.
  ///   - sender: the name under which the receiver lists this worker's key.
  func openLine(
    to neighbour: Assignment.Neighbour, _ name: String, as sender: String, incarnation: UInt64
  ) async throws -> TensorLine {
    let hello = Hello(build: build, role: .worker, name: sender, incarnation: incarnation)
    return try await TensorLine.open(
      to: Endpoint(neighbour.address), security: security.client(neighbour.key), hello: hello
    ) { [note] event in
      switch event {
      case .refused(_, let refusal): note("\(name) refused a tensor: \(refusal.text)")
      case .unreachable(let reason): note("\(name) cannot be reached: \(reason).")
      case .delivered: break
      }
    }
  }
}

extension Stage.Output {
  /// What goes on, under the names that it travels by.
  var tensors: [(stream: WireStream, tensor: Tensor)] {
    switch self {
    case .output(let output): [(.output, output)]
    case .change(let change):
      (change?.table.map { [(.table, $0)] } ?? []) + (change.map { [(.gates, $0.gates), (.rows, $0.rows)] } ?? [])
    case .state(let state):
      TokenStream.allCases.compactMap { stream in state.streams[stream].map { (stream.wire, $0) } }
    }
  }
}
