import COpenBLAS
import Measuring
import StrictJSON
import Tensors

/// A linear map of some rows in each precision, beside sgemm.
struct ProductBenchmark {
  struct Shape {
    let name: String
    let inputs: Int
    let outputs: Int
  }

  /// A FLUX of width 3072.
  static let flux = [
    Shape(name: "mlp up", inputs: 3072, outputs: 12288), Shape(name: "mlp down", inputs: 12288, outputs: 3072),
    Shape(name: "qkv", inputs: 3072, outputs: 9216),
  ]
  /// A small FLUX as the default model is, of width 192.
  static let small = [
    Shape(name: "small mlp up", inputs: 192, outputs: 768), Shape(name: "small mlp down", inputs: 768, outputs: 192),
    Shape(name: "small qkv", inputs: 192, outputs: 576),
  ]

  let rows: Int
  let shape: Shape
  private let times: [(name: String, wall: Sample, processor: Sample)]

  init(rows: Int, shape: Shape, rounds: Int) throws {
    self.rows = rows
    self.shape = shape
    let (inputs, outputs) = (shape.inputs, shape.outputs)
    let x = RandomValues.tensor([rows, inputs], seed: 2)
    let bias = RandomValues.tensor([outputs], seed: 3)
    let stored = try RandomValues.stored(outputs, inputs, .float32)
    let weights = try Tensor(stored)
    let float32 = Linear(weight: try WeightMatrix(joining: [stored], precision: .float32), bias: bias)
    let bfloat16 = Linear(weight: try WeightMatrix(joining: [stored], precision: .bfloat16), bias: bias)
    var y = Tensor(uninitialized: [rows, outputs])
    let contest = Contest([
      ("sgemm", { Self.sgemm(x, weights, &y) }), ("float32", { float32.apply(x, to: &y) }),
      ("bfloat16", { bfloat16.apply(x, to: &y) }),
    ])
    times = contest.times(rounds: rounds)
  }

  /// What a program would get that calls OpenBLAS and nothing else.
  private static func sgemm(_ x: Tensor, _ weights: Tensor, _ y: inout Tensor) {
    let (rows, depth, outputs) = (x.rows, x.columns, weights.rows)
    // OpenBLAS takes its threads; clusca's own products, which call it a piece at a time, want it to take one.
    openblas_set_num_threads(Int32(ThreadPool.shared.threads))
    x.withUnsafeElements { x in
      weights.withUnsafeElements { w in
        y.withUnsafeMutableElements { y in
          cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rows), blasint(outputs), blasint(depth), 1,
            x.baseAddress, blasint(depth), w.baseAddress, blasint(depth), 0, y.baseAddress, blasint(outputs))
        }
      }
    }
    openblas_set_num_threads(1)
  }

  private var operations: Double { 2 * Double(rows) * Double(shape.inputs) * Double(shape.outputs) }

  var json: JSONObject {
    var json: JSONObject = [
      "name": .string(shape.name), "rows": .integer(rows), "inputs": .integer(shape.inputs),
      "outputs": .integer(shape.outputs), "baseline": "sgemm",
    ]
    for time in times {
      json[time.name] = [
        "seconds": time.wall.timeJSON, "processor_seconds": time.processor.timeJSON,
        "gflops": .number(operations / time.wall.minimum / 1e9),
        "share_of_sgemm": .number(times[0].wall.minimum / time.wall.minimum),
        "median_share_of_sgemm": .number(times[0].wall.ratio(to: time.wall).median),
      ]
    }
    return json
  }

  static let tableHeader = ["product", "rows", "inputs", "outputs", "sgemm", "float32", "", "bfloat16", ""]

  var tableRow: [String] {
    var row = [shape.name, "\(rows)", "\(shape.inputs)", "\(shape.outputs)"]
    for time in times {
      row.append(Report.fixed(operations / time.wall.minimum / 1e9, 1))
      if time.name != "sgemm" { row.append("(\(Report.fixed(times[0].wall.minimum / time.wall.minimum, 2)))") }
    }
    return row
  }
}
