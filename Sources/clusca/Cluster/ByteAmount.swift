import ArgumentParser

/// Bytes as people write them: `16GB`, `512 MiB`, `1000000`.
struct ByteAmount: ExpressibleByArgument, Sendable, Equatable {
  let bytes: Int

  private static let units: [(name: String, factor: Double)] = [
    ("kib", 1024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("tib", 1_099_511_627_776), ("kb", 1e3), ("mb", 1e6),
    ("gb", 1e9), ("tb", 1e12), ("k", 1024), ("m", 1_048_576), ("g", 1_073_741_824), ("b", 1),
  ]

  init?(argument: String) {
    var text = argument.lowercased()
    var factor = 1.0
    if let unit = Self.units.first(where: { text.hasSuffix($0.name) }) {
      factor = unit.factor
      text.removeLast(unit.name.count)
    }
    while text.last == " " { text.removeLast() }
    guard let number = Double(text), number.isFinite, number > 0, number * factor < 1e18 else { return nil }
    bytes = Int(number * factor)
  }
}
