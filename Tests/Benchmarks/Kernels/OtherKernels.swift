import Measuring
import StrictJSON
import Tensors

/// Attention and elementwise work. The baseline of both is copying: how long the same numbers take to be read and
/// written once.
struct OtherKernels {
  let name: String
  let shape: [Int]
  /// Of arithmetic; nil where memory alone counts.
  let operations: Double?
  /// Read and written.
  let bytes: Double
  private let times: [(name: String, wall: Sample, processor: Sample)]

  private init(
    _ name: String, _ x: Tensor, operations: Double? = nil, resultBytes: Int, rounds: Int, _ run: @escaping () -> Void
  ) {
    self.name = name
    shape = x.shape
    self.operations = operations
    bytes = Double(x.byteCount + resultBytes)
    var copy = Tensor(uninitialized: x.shape)
    times = Contest([
      (
        "copy",
        {
          copy.withUnsafeMutableElements { target in
            x.withUnsafeElements { _ = target.update(fromContentsOf: $0) }
          }
        }
      ), (name, run),
    ]).times(rounds: rounds)
  }

  static func all(quick: Bool, rounds: Int) throws -> [OtherKernels] {
    var all: [OtherKernels] = []
    let attentions = [(heads: 3, headWidth: 64, tokens: 320)] + (quick ? [] : [(24, 128, 1536)])
    for (heads, headWidth, tokens) in attentions {
      let qkv = RandomValues.tensor([tokens, 3 * heads * headWidth])
      let attention = Attention(heads: heads, headWidth: headWidth)
      var result = Tensor(uninitialized: [tokens, heads * headWidth])
      all.append(
        OtherKernels(
          "attention", qkv, operations: 4 * Double(tokens * tokens) * Double(heads * headWidth),
          resultBytes: result.byteCount, rounds: rounds
        ) { attention.apply(qkv, to: &result) })
    }
    for (rows, columns) in [(320, 192)] + (quick ? [] : [(1536, 3072)]) {
      let x = RandomValues.tensor([rows, columns])
      let modulation = Modulation(
        shift: RandomValues.tensor([columns], seed: 4), scale: RandomValues.tensor([columns], seed: 5))
      let norm = LayerNorm(epsilon: 1e-6)
      all.append(
        OtherKernels("layer norm", x, resultBytes: x.byteCount, rounds: rounds) { _ = norm(x, modulation) })
      let rms = RMSNorm(weight: RandomValues.tensor([columns], seed: 6), epsilon: 1e-6)
      all.append(OtherKernels("RMS norm", x, resultBytes: x.byteCount, rounds: rounds) { _ = rms(x) })
      all.append(
        OtherKernels("GELU", x, resultBytes: x.byteCount, rounds: rounds) { _ = x.applying(.geluTanh) })
    }
    return all
  }

  private var seconds: Sample { times[1].wall }

  var json: JSONObject {
    [
      "name": .string(name), "shape": .array(shape.map(JSONValue.integer)), "seconds": seconds.timeJSON,
      "processor_seconds": times[1].processor.timeJSON,
      "gflops": operations.map { .number($0 / seconds.minimum / 1e9) } ?? .null,
      "gigabytes_per_second": .number(bytes / seconds.minimum / 1e9), "baseline": "copy",
      "times_copy": .number(seconds.minimum / times[0].wall.minimum),
    ]
  }

  static let tableHeader = ["kernel", "shape", "ms", "GFLOP/s", "GB/s", "times copy"]

  var tableRow: [String] {
    [
      name, shape.map(String.init).joined(separator: "x"), Report.fixed(1000 * seconds.minimum, 3),
      operations.map { Report.fixed($0 / seconds.minimum / 1e9, 1) } ?? "",
      Report.fixed(bytes / seconds.minimum / 1e9, 1), Report.fixed(seconds.minimum / times[0].wall.minimum, 2),
    ]
  }
}
