import Tensors

/// A call of one of torch's random functions, as its tensor's name tells it: FUNCTION.seedS.nN, or FUNCTION.seedS.SHAPE
/// with .headN or .tailN for one end of a larger tensor, or FUNCTION.seedS.then_nN for a call on the same generator.
struct RandomDraw {
  enum Function: Equatable {
    case randn
    case randnFloat64
    case randnBFloat16
    case rand
    case randint(below: Int64)
    case randperm
  }

  enum Part: Equatable {
    case whole
    case head(Int)
    case tail(Int)
    case continuation

    var isOfLargerDraw: Bool {
      switch self {
      case .head, .tail: true
      case .whole, .continuation: false
      }
    }

    func of(_ numbers: [Double]) -> [Double] {
      switch self {
      case .whole, .continuation: numbers
      case .head(let count): Array(numbers.prefix(count))
      case .tail(let count): Array(numbers.suffix(count))
      }
    }
  }

  let name: String
  let seed: UInt64
  let function: Function
  /// How many numbers the call draws.
  let count: Int
  let part: Part

  /// More than any recorded case draws.
  private static let maximumCount = 1 << 24

  init?(_ name: String) {
    let fields = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard fields.count == 3 || fields.count == 4, let function = Self.function(fields[0]),
      let seed = Self.number(fields[1], behind: "seed")
    else { return nil }
    let count: Int?
    if fields.count == 4 {
      count = Self.product(fields[2])
      if let head = Self.number(fields[3], behind: "head") {
        part = .head(head)
      } else if let tail = Self.number(fields[3], behind: "tail") {
        part = .tail(tail)
      } else {
        return nil
      }
    } else if let number = Self.number(fields[2], behind: "then_n") {
      (count, part) = (number, .continuation)
    } else {
      let plain = fields[2].hasSuffix("_f64") ? String(fields[2].dropLast(4)) : fields[2]
      (count, part) = (Self.number(plain, behind: "n") ?? Self.product(plain), .whole)
    }
    guard let count, (0...Self.maximumCount).contains(count) else { return nil }
    self.name = name
    self.seed = UInt64(bitPattern: Int64(seed))
    self.function = function
    self.count = count
  }

  /// Draws them all.
  func numbers(_ generator: inout TorchGenerator) -> [Double] {
    switch function {
    case .randn: generator.randn(count).map(Double.init)
    case .randnFloat64: generator.randnFloat64(count)
    case .randnBFloat16: generator.randn(count, as: .bfloat16).map(Double.init)
    case .rand: generator.rand(count).map(Double.init)
    case .randint(let bound): generator.randint(0..<bound, count).map(Double.init)
    case .randperm: generator.randperm(count).map(Double.init)
    }
  }

  private static func function(_ text: String) -> Function? {
    switch text {
    case "randn": return .randn
    case "randn_f64": return .randnFloat64
    case "randn_bf16": return .randnBFloat16
    case "rand": return .rand
    case "randperm": return .randperm
    default:
      guard let bound = number(text, behind: "randint"), bound > 0 else { return nil }
      return .randint(below: Int64(bound))
    }
  }

  private static func number(_ text: String, behind prefix: String) -> Int? {
    text.hasPrefix(prefix) ? Int(text.dropFirst(prefix.count)) : nil
  }

  /// The elements of a shape such as 1x4x32x32.
  private static func product(_ shape: String) -> Int? {
    var product = 1
    for field in shape.split(separator: "x", omittingEmptySubsequences: false) {
      guard let dimension = Int(field), dimension >= 0, dimension <= maximumCount else { return nil }
      product *= dimension
      guard product <= maximumCount else { return nil }
    }
    return product
  }
}
