/// The family of patterns that byte-level tokenizers split text into words by.
///
/// All are alternatives of contractions, letters, numbers, symbols and white space; they differ in the details below.
struct WordPattern: SplitPattern {
  /// What may stand before letters, as part of the same match.
  enum LetterPrefix: Sendable {
    case nothing
    /// ` ?`
    case space
    /// `[^\r\n\p{L}\p{N}]?`
    case anyCharacter
  }

  var contractionsIgnoreCase = false
  var letterPrefix: LetterPrefix
  /// ` ?` before numbers.
  var numbersTakeSpace = false
  var maximumDigits = Int.max
  /// ` ?` before symbols.
  var symbolsTakeSpace = true
  /// `[\r\n]*` behind symbols, and `\s*[\r\n]+` as an alternative.
  var knowsLines = false
  /// `\s+(?!\S)|\s+`
  var matchesSpace = true

  /// `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`
  static let clip = WordPattern(
    letterPrefix: .nothing, maximumDigits: 1, symbolsTakeSpace: false, matchesSpace: false)

  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  static let gpt2 = WordPattern(letterPrefix: .space, numbersTakeSpace: true)

  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
  static let llama3 = WordPattern(
    contractionsIgnoreCase: true, letterPrefix: .anyCharacter, maximumDigits: 3, knowsLines: true)

  /// The same with `\p{N}` for numbers.
  static let qwen2 = WordPattern(
    contractionsIgnoreCase: true, letterPrefix: .anyCharacter, maximumDigits: 1, knowsLines: true)

  func matchEnd(in text: ArraySlice<UInt8>, at position: Int) -> Int? {
    if let end = contraction(in: text, at: position) { return end }
    let (scalar, count) = UTF8Text.scalar(in: text, at: position)
    let kind = CharacterClass(scalar)
    let behind = position + count
    if kind == .letter { return text.end(ofRun: .letter, from: position) }
    if takesIntoWord(scalar, kind), let end = run(.letter, in: text, from: behind) { return end }
    if kind == .number { return text.end(ofRun: .number, from: position, atMost: maximumDigits) }
    if numbersTakeSpace, scalar == " ", let end = run(.number, in: text, from: behind) { return end }
    if kind == .other { return symbolsEnd(in: text, from: position) }
    if symbolsTakeSpace, scalar == " ", run(.other, in: text, from: behind) != nil {
      return symbolsEnd(in: text, from: behind)
    }
    return matchesSpace ? spaceEnd(in: text, from: position) : nil
  }

  /// Whether a character that is no letter may begin the match of the letters behind it.
  private func takesIntoWord(_ scalar: Unicode.Scalar, _ kind: CharacterClass) -> Bool {
    switch letterPrefix {
    case .nothing: false
    case .space: scalar == " "
    case .anyCharacter: kind != .number && scalar != "\r" && scalar != "\n"
    }
  }

  private func run(_ kind: CharacterClass, in text: ArraySlice<UInt8>, from position: Int) -> Int? {
    let end = text.end(ofRun: kind, from: position)
    return end > position ? end : nil
  }

  private func symbolsEnd(in text: ArraySlice<UInt8>, from position: Int) -> Int {
    var end = text.end(ofRun: .other, from: position)
    while knowsLines, end < text.endIndex, text[end] == 0x0A || text[end] == 0x0D { end += 1 }
    return end
  }

  /// White space up to its last line break; without one, up to the character before the next word.
  private func spaceEnd(in text: ArraySlice<UInt8>, from position: Int) -> Int? {
    var end = position
    var lastStart = position
    var lineEnd: Int?
    while end < text.endIndex {
      let (scalar, count) = UTF8Text.scalar(in: text, at: end)
      guard CharacterClass(scalar) == .space else { break }
      lastStart = end
      end += count
      if scalar == "\n" || scalar == "\r" { lineEnd = end }
    }
    if knowsLines, let lineEnd { return lineEnd }
    if end == text.endIndex || lastStart == position { return end > position ? end : nil }
    return lastStart
  }

  /// `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d`.
  private func contraction(in text: ArraySlice<UInt8>, at position: Int) -> Int? {
    guard text[position] == UInt8(ascii: "'"), position + 1 < text.endIndex else { return nil }
    // To ignore case is to fold it: the long s is an s (CaseFolding.txt of Unicode).
    if contractionsIgnoreCase, text[(position + 1)...].starts(with: "\u{17F}".utf8) { return position + 3 }
    func letter(_ offset: Int) -> UInt8? {
      guard position + offset < text.endIndex else { return nil }
      let byte = text[position + offset]
      return contractionsIgnoreCase && byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }
    switch (letter(1), letter(2)) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
      return position + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return position + 3
    default: return nil
    }
  }
}
