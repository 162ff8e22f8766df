/// What becomes of the matches of a pattern that splits text.
///
/// Source: `SplitDelimiterBehavior` in tokenizers (src/tokenizer/normalizer.rs).
enum SplitBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  /// Matches in a row become one piece, and so does what is between them.
  case contiguous = "Contiguous"

  /// The pieces of `piece`, of which `parts` are, in their order and without gaps, the matches and what is between them.
  func pieces(of piece: TextPiece, _ parts: [(range: Range<Int>, isMatch: Bool)]) -> [TextPiece] {
    var ranges: [Range<Int>] = []
    ranges.reserveCapacity(parts.count)
    switch self {
    case .removed: for part in parts where !part.isMatch { ranges.append(part.range) }
    case .isolated: for part in parts { ranges.append(part.range) }
    case .contiguous:
      var previous: Bool?
      for part in parts {
        Self.append(part.range, joined: part.isMatch == previous, to: &ranges)
        previous = part.isMatch
      }
    case .mergedWithPrevious:
      var previous = false
      for part in parts {
        Self.append(part.range, joined: part.isMatch && !previous, to: &ranges)
        previous = part.isMatch
      }
    case .mergedWithNext:
      // From the end to the beginning, so that of two matches in a row the last is merged.
      var previous = false
      for part in parts.reversed() {
        if part.isMatch, !previous, let last = ranges.last {
          ranges[ranges.count - 1] = part.range.lowerBound..<last.upperBound
        } else {
          ranges.append(part.range)
        }
        previous = part.isMatch
      }
      ranges.reverse()
    }
    return ranges.compactMap { range in
      range.isEmpty
        ? nil
        : TextPiece(
          piece.bytes[range], isAtStart: piece.isAtStart && range.lowerBound == piece.bytes.startIndex)
    }
  }

  private static func append(_ range: Range<Int>, joined: Bool, to ranges: inout [Range<Int>]) {
    if joined, let last = ranges.last {
      ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
    } else {
      ranges.append(range)
    }
  }
}
