import ArgumentParser

/// Measures clusca: one JSON object on the standard output, a table for people on the standard error.
///
/// Each benchmark measures its baseline in the same run, by turns with what is compared to it, since other work on the
/// machine comes and goes. What caching costs and saves is measured by `clusca bench`.
@main
struct Benchmarks: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "Benchmarks",
    abstract:
      "Measures what bfloat16 changes, products, steps, whole runs, how steps grow, pipelines, encoders and decoders.",
    subcommands: [PrecisionDistance.self, Kernels.self, Step.self, Runs.self, Growth.self, Pipelines.self, Parts.self])
}
