/// What characters decompose into, one step deep.
struct DecompositionTable: Sendable {
  private let mappings: [UInt32: [UInt32]]

  /// Reads lines of records. A record is the first character and `:`, then the decompositions of that character and its
  /// successors between commas, nothing for one that has none; `;` stands between records. All numbers are hexadecimal.
  init(text: String) {
    var mappings: [UInt32: [UInt32]] = [:]
    mappings.reserveCapacity(4096)
    var first: UInt32 = 0
    var number: UInt32 = 0
    var targets: [UInt32] = []
    var hasDigits = false

    func endNumber() {
      if hasDigits { targets.append(number) }
      number = 0
      hasDigits = false
    }
    func endDecomposition() {
      endNumber()
      if !targets.isEmpty { mappings[first] = targets }
      targets = []
      first += 1
    }
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: ":"):
        first = number
        number = 0
        hasDigits = false
      case UInt8(ascii: " "): endNumber()
      case UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\n"): endDecomposition()
      default:
        number = number << 4 | UInt32(byte <= 0x39 ? byte - 0x30 : byte - 0x41 + 10)
        hasDigits = true
      }
    }
    endDecomposition()
    self.mappings = mappings
  }

  subscript(scalar: UInt32) -> [UInt32]? { mappings[scalar] }

  /// The characters that are pairs of two others, under the pair.
  var pairs: [UInt64: UInt32] {
    var pairs: [UInt64: UInt32] = [:]
    for (composite, targets) in mappings where targets.count == 2 {
      guard let scalar = Unicode.Scalar(composite), !scalar.properties.isFullCompositionExclusion else { continue }
      pairs[Self.key(targets[0], targets[1])] = composite
    }
    return pairs
  }

  static func key(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) << 32 | UInt64(second) }
}
