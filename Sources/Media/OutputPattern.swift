import Files

/// The names of the pictures of a run, as `-o` gives them.
///
/// `%d` is the index of a picture, `%04d` the same with zeros in front to four digits (up to nine), `%s` its seed and
/// `%%` a per cent sign; the first is what stable-diffusion.cpp and ffmpeg read. Nothing else may stand behind a
/// per cent sign: the pattern never comes near `printf`.
///
/// Folders of a pattern may hold placeholders too. They are made when a picture is written to them
/// (`AtomicFile.write(createFolders: true)`), as mflux and stable-diffusion.cpp do.
public struct OutputPattern: Sendable, Equatable {
  private enum Part: Sendable, Equatable {
    case text(String)
    case index(digits: Int)
    case seed
  }

  public let pattern: String
  private let parts: [Part]

  public init(_ pattern: String) throws(MediaError) {
    var parts: [Part] = []
    var text = String.UnicodeScalarView()
    var rest = Substring(pattern).unicodeScalars
    while let scalar = rest.popFirst() {
      guard scalar == "%" else {
        text.append(scalar)
        continue
      }
      let digits = rest.prefix { ("0"..."9").contains($0) }
      rest = rest.dropFirst(digits.count)
      let part: Part? =
        switch (rest.popFirst(), String(Substring(digits))) {
        case ("%", ""): nil
        case ("s", ""): .seed
        case ("d", ""): .index(digits: 1)
        case ("d", let width) where width.count == 2 && width.first == "0" && width != "00":
          .index(digits: Int(width) ?? 1)
        case (let end, let width):
          throw .unsuitablePattern(
            pattern: pattern,
            reason: "%\(width)\(end.map(String.init) ?? "") is not one of %d, %01d to %09d, %s and %%")
        }
      if let part {
        if !text.isEmpty { parts.append(.text(String(text))) }
        text = String.UnicodeScalarView()
        parts.append(part)
      } else {
        text.append("%")
      }
    }
    if !text.isEmpty { parts.append(.text(String(text))) }

    guard !pattern.isEmpty else { throw .unsuitablePattern(pattern: pattern, reason: "it is empty") }
    guard !pattern.unicodeScalars.contains("\0") else {
      throw .unsuitablePattern(pattern: pattern, reason: "it holds a zero byte")
    }
    let name = pattern.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).last.map(Array.init)
    guard let name, !name.isEmpty, name != Array(".".utf8), name != Array("..".utf8) else {
      throw .unsuitablePattern(pattern: pattern, reason: "it names a folder, not a file")
    }
    self.pattern = pattern
    self.parts = parts
  }

  /// Whether the index or the seed stands in the names.
  public var hasPlaceholder: Bool {
    parts.contains { if case .text = $0 { false } else { true } }
  }

  /// Whether the index stands in the names.
  public var hasIndex: Bool {
    parts.contains { if case .index = $0 { true } else { false } }
  }

  /// The name of one picture. A negative index or seed keeps its sign before the zeros.
  public func path(index: Int, seed: some BinaryInteger) -> String {
    parts.map { part in
      switch part {
      case .text(let text): return text
      case .seed: return String(seed)
      case .index(let digits):
        let magnitude = String(index.magnitude)
        let zeros = String(repeating: "0", count: max(0, digits - magnitude.count))
        return (index < 0 ? "-" : "") + zeros + magnitude
      }
    }.joined()
  }

  /// The names of the pictures of a run, all different: the first picture of a name has it, the next ones are
  /// `x-1.png`, `x-2.png`, …, as when a file exists.
  ///
  /// - Parameters:
  ///   - seeds: The seed of each picture.
  ///   - firstIndex: The index of the first picture.
  public func paths(seeds: [some BinaryInteger], firstIndex: Int = 0) -> [String] {
    let wanted = seeds.enumerated().map { path(index: firstIndex + $0.offset, seed: $0.element) }
    var taken = Set(wanted)
    var numbers: [String: Int] = [:]
    return wanted.map { name in
      var number = numbers[name, default: 0]
      defer { numbers[name] = number + 1 }
      guard number > 0 else { return name }
      while !taken.insert(NumberedPath.path(name, number: number)).inserted { number += 1 }
      return NumberedPath.path(name, number: number)
    }
  }
}
