import ArgumentParser
import StrictJSON
import Tensors

/// `Benchmarks kernels`: products, attention and norms beside OpenBLAS or the memory's speed.
struct Kernels: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures products of matrices against OpenBLAS, attention and norms.",
    discussion: """
      Products: y = x · weightsᵀ + bias for the rows that a cached step computes (16), a text has (256, 512) or a picture \
      has (1024, 4096), in float32 and bfloat16. The baseline is one call of OpenBLAS' sgemm on all threads.
      """)

  @Flag(help: "Fewer sizes and rounds: about a minute.")
  var quick = false

  @Option(help: "How often each way is timed.")
  var rounds: Int?

  @Option(parsing: .upToNextOption, help: "Rows of the products.")
  var rows: [Int] = []

  @Option(help: "Threads to compute with.")
  var threads: Int?

  func run() throws {
    if let threads { ThreadPool.shared.setThreads(threads) }
    let rounds = rounds ?? (quick ? 3 : 7)
    let rowCounts = rows.isEmpty ? (quick ? [16, 256] : [1, 16, 64, 256, 1024, 4352]) : rows
    let shapes =
      ProductBenchmark.small + (quick ? Array(ProductBenchmark.flux.prefix(1)) : ProductBenchmark.flux)
    var products: [ProductBenchmark] = []
    for shape in shapes {
      for rows in rowCounts {
        products.append(try ProductBenchmark(rows: rows, shape: shape, rounds: rounds))
      }
    }
    Report.note("products: GFLOP/s (share of sgemm), by the least time")
    Report.table([ProductBenchmark.tableHeader] + products.map(\.tableRow))
    let others = try OtherKernels.all(quick: quick, rounds: rounds)
    Report.table([OtherKernels.tableHeader] + others.map(\.tableRow))
    Report.json([
      "benchmark": "kernels", "machine": .object(Report.machine), "rounds": .integer(rounds),
      "products": .array(products.map { .object($0.json) }), "others": .array(others.map { .object($0.json) }),
    ])
  }
}
