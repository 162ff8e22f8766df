import ArgumentParser
import Tensors

/// `clusca inspect`: what is in a checkpoint, a safetensors file or a picture.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what is in a checkpoint, a .safetensors file or a PNG.",
    discussion: """
      PATH is a folder in the layout of diffusers or one part of it, a .safetensors file, the .index.json of one in \
      shards, a PNG, or the name of a model in the cache of Hugging Face such as black-forest-labs/FLUX.1-schnell. \
      Nothing is downloaded.
      """)

  @Argument(help: "What to look at.", completion: .file())
  var path: String

  @Flag(help: "List all tensors.")
  var tensors = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let report = try InspectionSubject(path).report()
    if json {
      try StandardOutput.write(report.json(withTensors: tensors).text(pretty: true))
    } else {
      try StandardOutput.write(
        report.lines(withTensors: tensors).map(\.withControlsShown).joined(separator: "\n"))
    }
    // What can be shown is shown; a script still learns that the checkpoint cannot be used.
    if let problem = report.problems.first {
      let others = report.problems.count - 1
      throw CommandFailure(.input, others > 0 ? "\(problem) (and \(others) more problems)" : problem)
    }
  }
}
