import Autoencoders
import FeatureCaching
import Tensors
import Transformers

/// Which bits this machine computes: a digest of the results of all kernels on fixed inputs. Machines and programs of one
/// class render the same pictures bit for bit; others may not.
///
/// The class stands for instruction sets, OpenBLAS' choice of kernel, the C library's sine and cosine, and whatever the
/// compiler made of the code, none of which has to be known by name.
public enum NumericsClass {
  /// The class of this process, which takes some milliseconds.
  ///
  /// - Throws: never in practice; what is computed with are tensors as they are loaded from files.
  public static func current() throws -> SHA256.Digest {
    var hash = SHA256()
    for (name, result) in try results() {
      hash.update(Array("\(name) \(result.shape)\n".utf8))
      hash.update(result)
    }
    return hash.finalize()
  }

  /// What enters the digest, by name, so that two machines can find out in what they differ.
  static func results() throws -> [(name: String, result: Tensor)] {
    try products() + rowOperations() + attention() + caching() + decoder()
  }

  /// Both sides of the border between products of few and of many rows, with a depth that is cut into several sums.
  private static func products() throws -> [(String, Tensor)] {
    let (inputs, outputs) = (780, 130)
    let weight = try StoredTensor(name: "weight", shape: [outputs, inputs], values: numbers(1, outputs * inputs))
    let bias = Tensor(numbers(2, outputs), shape: [outputs])
    return try Precision.allCases.flatMap { precision in
      let linear = Linear(weight: try WeightMatrix(joining: [weight], precision: precision), bias: bias)
      return [1, 16, 96].map { rows in
        let x = Tensor(numbers(3, rows * inputs), shape: [rows, inputs])
        return ("product.\(precision.rawValue).\(rows)", linear(x, activation: .geluTanh))
      }
    }
  }

  private static func rowOperations() -> [(String, Tensor)] {
    let (rows, heads, headWidth) = (9, 3, 34)
    let width = heads * headWidth
    let x = Tensor(numbers(4, rows * width), shape: [rows, width])
    let vector = Tensor(numbers(5, width), shape: [width])
    var results: [(String, Tensor)] = [
      ("layer norm", LayerNorm(epsilon: 1e-6)(x, Modulation(shift: vector, scale: vector))),
      ("rms norm", RMSNorm(weight: vector, epsilon: 1e-6)(x)), ("sinusoid", Sinusoid.embedding(987.654)),
      ("positions", SinusoidalPositions.embedding(rows: 3, columns: 4, width: 52)),
    ]
    for activation in [Activation.silu, .geluTanh, .geluErf, .quickGELU] {
      results.append(("activation \(activation)", x.applying(activation)))
    }
    let rope = RotaryEmbedding(
      positions: TokenGrid(rows: 3, columns: 3).positions, axes: [6, 12, 16], theta: 10000)
    var rotated = x
    rope.apply(to: &rotated, firstColumn: 0, heads: heads)
    return results + [("rope", rotated)]
  }

  /// More queries than a piece of work has, and scores that nearly vanish.
  private static func attention() -> [(String, Tensor)] {
    let (rows, heads, headWidth) = (200, 1, 40)
    let qkv = Tensor(numbers(6, rows * 3 * heads * headWidth), shape: [rows, 3 * heads * headWidth])
    let attention = Attention(heads: heads, headWidth: headWidth, scale: 1)
    return [("attention", attention(qkv)), ("causal attention", attention(qkv, visibility: .causal))]
  }

  private static func caching() -> [(String, Tensor)] {
    let (rows, width, clusters) = (40, 70, 5)
    let shape = [rows, width]
    let terms = (7...9).map { Tensor(numbers($0, rows * width), shape: shape) }
    var sum = terms[0]
    sum.add(
      Feature(
        terms: terms.prefix(2).map { FeatureTensor($0) } + [FeatureTensor(terms[2], in: .bfloat16)],
        coefficients: [1, 2, 4.0 / 3]), gate: Tensor(numbers(10, width), shape: [width]))
    let series = TaylorSeer(schedule: IntervalSchedule(interval: 3, enhancedSteps: 1), maximumOrder: 2)
      .makeCache(
        CacheSetup(
          choices: KeyedChoices(seed: 0, row: 0), steps: 8, layout: BlockLayout(blocks: 1, splitBlocks: 0), columns: 1))
    var forecast = sum
    for (index, term) in terms.enumerated() {
      series.begin(CacheStep(index: 3 * index, kind: .full))
      forecast = series.feature(Branch(0, .image, .whole)) { term }.sum
    }
    series.begin(CacheStep(index: 7, kind: .cached(distance: 1)))
    forecast = series.feature(Branch(0, .image, .whole)) { forecast }.sum
    let found = KMeans(maximumIterations: 4)(terms[0], from: terms[1].rows(0..<clusters))
    return [
      ("gated sum", sum), ("forecast", forecast), ("centroids", found.centroids),
      ("labels", Tensor(found.clusters.labels.map { Float($0) }, shape: [rows])),
    ]
  }

  /// Group norms and convolutions of each kind.
  private static func decoder() throws -> [(String, Tensor)] {
    let (inputs, outputs) = (8, 12)
    let source = NumericsParameters(shapes: [
      "norm1.weight": [inputs], "norm1.bias": [inputs], "conv1.weight": [outputs, inputs, 3, 3],
      "conv1.bias": [outputs], "norm2.weight": [outputs], "norm2.bias": [outputs],
      "conv2.weight": [outputs, outputs, 3, 3], "conv2.bias": [outputs],
      "conv_shortcut.weight": [outputs, inputs, 1, 1], "conv_shortcut.bias": [outputs],
    ])
    let parameters = Parameters(source, precision: .float32)
    let block = try ResidualBlock(parameters, inputs: inputs, outputs: outputs, groups: 2)
    var x = Tensor(numbers(11, 13 * 18 * inputs), shape: [13, 18, inputs])
    let doubling = try Convolution(parameters.module("conv1"), .doubling, inputs: inputs, outputs: outputs)
    let doubled = doubling(x)
    block(&x)
    return [("residual block", x), ("doubling convolution", doubled)]
  }

  /// In -2..<2, by their place alone.
  fileprivate static func numbers(_ place: Int, _ count: Int) -> [Float] {
    RandomKey(seed: 0, purpose: .numerics, layer: UInt32(place)).uniforms(0..<count).map { 4 * $0 - 2 }
  }
}

/// Parameters of given shapes with fixed numbers.
private struct NumericsParameters: ParameterSource {
  let shapes: [String: [Int]]
  let path = "the numerics class"

  func parameter(_ name: String) throws -> StoredTensor? {
    guard let shape = shapes[name] else { return nil }
    let place = 100 + name.utf8.reduce(0) { ($0 * 31 + Int($1)) % 1000 }
    return try StoredTensor(
      name: name, shape: shape, values: NumericsClass.numbers(place, shape.reduce(1, *)))
  }
}

extension SHA256 {
  /// Adds the elements of a tensor as little-endian float32.
  public mutating func update(_ tensor: Tensor) {
    tensor.withUnsafeElements { update(UnsafeRawBufferPointer($0)) }
  }

  /// The digest of a tensor's elements as little-endian float32, row after row.
  public static func digest(of tensor: Tensor) -> Digest {
    var hash = SHA256()
    hash.update(tensor)
    return hash.finalize()
  }
}
