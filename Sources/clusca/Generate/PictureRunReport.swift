import Rendering
import StrictJSON

/// What is said about a picture when it is done.
struct PictureRunReport {
  /// Nil for a picture that is not kept.
  let path: String?
  let settings: PictureSettings
  let summary: RunSummary
  let denoising: Duration
  let total: Duration

  /// `x.png: 12 full and 38 cached steps in 3.4 s, 27 % of tokens, 2.1 of 8.0 TFLOP (3.8 times fewer), 12.3 MB of cache`
  var line: String { (path.map { "\($0): " } ?? "") + work }

  /// Steps, time, operations and cache.
  var work: String {
    var parts = ["\(summary.fullSteps) full and \(summary.cachedSteps) cached steps in \(seconds(denoising)) s"]
    parts.append("\(DecimalText.fixed(100 * summary.computedTokens, digits: 1)) % of tokens computed")
    if summary.cachedSteps > 0 {
      parts.append(
        "\(operations(summary.operations))FLOP of \(operations(summary.uncachedOperations))FLOP "
          + "(\(DecimalText.fixed(summary.operationsRatio, digits: 2)) times fewer)")
    } else {
      parts.append("\(operations(summary.operations))FLOP")
    }
    parts.append("\(ByteCount(summary.cacheBytes)) of cache")
    return parts.joined(separator: ", ")
  }

  var json: JSONObject {
    [
      "path": path.map(JSONValue.string) ?? .null, "settings": .object(settings.json),
      "seconds": ["denoising": .number(denoising / .seconds(1)), "total": .number(total / .seconds(1))],
      "cache": [
        "full_steps": .integer(summary.fullSteps), "cached_steps": .integer(summary.cachedSteps),
        "computed_tokens": .number(summary.computedTokens), "flop": .integer(summary.operations),
        "flop_uncached": .integer(summary.uncachedOperations), "flop_ratio": .number(summary.operationsRatio),
        "bytes": .integer(summary.cacheBytes),
      ],
    ]
  }

  private func seconds(_ duration: Duration) -> String { DecimalText.fixed(duration / .seconds(1), digits: 2) }

  /// With a prefix of the SI: `2.1 T`.
  private func operations(_ count: Int) -> String {
    var value = Double(count)
    for unit in ["", "k", "M", "G", "T"] {
      if value < 999.95 { return "\(DecimalText.fixed(value, digits: 1)) \(unit)" }
      value /= 1000
    }
    return "\(DecimalText.fixed(value, digits: 1)) P"
  }
}
