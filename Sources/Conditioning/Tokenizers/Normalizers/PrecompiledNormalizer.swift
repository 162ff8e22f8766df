/// Replaces characters by the table of a SentencePiece model, for T5 "nmt_nfkc".
///
/// Source: `Precompiled` in tokenizers (src/normalizers/precompiled.rs) and the crate spm_precompiled. A grapheme cluster
/// of less than 6 bytes is replaced as a whole by what stands for the *shortest* beginning of it that is in the table;
/// other clusters are replaced character by character.
struct PrecompiledNormalizer: Normalizer {
  private let trie: DoubleArray
  /// The replacements, each ended by a zero byte.
  private let texts: [UInt8]
  let growth: Int

  /// The longest replacement of a real table has 33 bytes (of U+FDFA).
  private static let maximumReplacement = 256

  /// Reads a table: the size of the trie in bytes, the trie, the replacements; numbers are little-endian.
  init(table: [UInt8]) throws(TokenizerError.Problem) {
    func word(_ offset: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(table[offset + $1]) << (8 * UInt32($1)) }
    }
    guard table.count >= 4 else { throw .malformed("the precompiled table of characters is too short") }
    let size = Int(word(0))
    guard size <= table.count - 4, size >= 4 else {
      throw .malformed("the precompiled table of characters has \(table.count) bytes, but its trie alone has \(size)")
    }
    let unitCount = size / 4
    trie = DoubleArray((0..<unitCount).map { word(4 + 4 * $0) })
    texts = Array(table[(4 + 4 * unitCount)...])
    guard String(validating: texts, as: UTF8.self) != nil else {
      throw .malformed("the replacements in the precompiled table of characters are not valid UTF-8")
    }
    let longest = texts.split(separator: 0).reduce(0) { max($0, $1.count) }
    guard longest <= Self.maximumReplacement else {
      throw .malformed("the precompiled table of characters has a replacement of \(longest) bytes")
    }
    growth = max(1, longest)
  }

  func normalize(_ text: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    for character in String(decoding: text, as: UTF8.self) {
      let cluster = character.utf8
      if cluster.count < 6, let replacement = replacement(cluster) {
        bytes += replacement
        continue
      }
      for scalar in character.unicodeScalars {
        let part = UTF8.encode(scalar)!
        if let replacement = replacement(part) { bytes += replacement } else { bytes += part }
      }
    }
    return bytes
  }

  private func replacement(_ key: some Sequence<UInt8>) -> ArraySlice<UInt8>? {
    guard let start = trie.firstPrefixValue(key), start <= texts.count else { return nil }
    // A value that points into the middle of a character would make invalid text.
    if start < texts.count, texts[start] & 0xC0 == 0x80 { return nil }
    return texts[start...].prefix { $0 != 0 }
  }
}
