import Measuring
import Media
import Rendering

/// One page with everything in it: no address leads out of it.
struct BenchReport {
  let results: BenchResults

  /// Pictures side by side at most, so that a page of a thousand prompts can still be opened.
  private static let maximumPrompts = 40
  /// Of all pictures together, as bytes of their pixels.
  private static let pixelBytes = 24 << 20

  init(_ results: BenchResults) { self.results = results }

  var html: String {
    get throws {
      """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>clusca bench</title>
      <style>
      \(Self.style)
      </style>
      </head>
      <body>
      <h1>Caching methods, measured</h1>
      <p>\(HTML.escaped(introduction))</p>
      \(BenchPlot(points: results.summaries.dropFirst().map { ($0.policy.name, $0.speedUp, $0.psnr) }).svg)
      <h2>All prompts</h2>
      \(HTML.table(results.table))
      <p>Means over the prompts with their standard errors. The time is that of all denoising steps; speed-up, PSNR and SSIM \
      are taken prompt by prompt to the picture without caching, which was rendered on the same machine in the same run or an \
      earlier part of it. Equal pictures count as \(Int(Comparison.countedPeakRatio)) dB. Operations are those of the \
      transformer; the peak of memory is that of the whole program.</p>
      <h2>Differences</h2>
      \(HTML.table(differences))
      <p>PSNR of the policy of the row less that of the column, in dB: the mean over prompts of the differences, with its \
      standard error.</p>
      <h2>Pictures, the worst first</h2>
      \(try pictures)
      <h2>How it was measured</h2>
      \(HTML.table([["", ""]] + circumstances.map { [$0.0, $0.1] }))
      </body>
      </html>

      """
    }
  }

  private var introduction: String {
    let settings = results.entries.first?.first?.settings
    let count = results.entries.count
    let size = settings.map { "\($0.width) x \($0.height) pixels, \($0.steps) steps" } ?? ""
    return
      "\(count) \(count == 1 ? "picture" : "pictures") by \(results.policies.count) policies, \(size), from the same noise."
  }

  private var differences: [[String]] {
    let compared = Array(results.summaries.dropFirst())
    return [["PSNR dB"] + compared.map(\.policy.name)]
      + compared.map { first in
        [first.policy.name]
          + compared.map { second in
            first.policy == second.policy
              ? "" : BenchSummary.text(BenchResults.Pair(first: first, second: second).psnr, 2, signed: true)
          }
      }
  }

  private var circumstances: [(String, String)] {
    [
      ("date", results.date), ("command", results.command.map(Self.quoted).joined(separator: " ")),
      ("model", results.model.path), ("family", results.model.family),
    ] + results.machine.lines
  }

  private static func quoted(_ argument: String) -> String {
    let isPlain = argument.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./:=,+@%".contains($0)) }
    return isPlain && !argument.isEmpty ? argument : "'" + argument.replacing("'", with: "'\\''") + "'"
  }

  // MARK: - Pictures

  /// Prompt by prompt, those first of which a policy's picture is farthest from the one without caching.
  private var pictures: String {
    get throws {
      func worst(_ picture: [BenchEntry]) -> Double {
        picture.compactMap { $0.measurement?.countedPSNR }.min() ?? .infinity
      }
      let sorted = results.entries.sorted { (worst($0), $0[0].index) < (worst($1), $1[0].index) }
      let shown = sorted.prefix(Self.maximumPrompts)
      let side = Self.side(pictures: shown.count * results.policies.count)
      var parts: [String] = []
      if shown.count < sorted.count {
        parts.append("<p>The worst \(shown.count) of \(sorted.count); all are in the folder pictures.</p>")
      }
      for picture in shown {
        let figures = try picture.map { try figure($0, side: side) }
        let settings = picture[0].settings
        parts.append(
          "<h3>\(HTML.escaped(settings.title)) <small>seed \(settings.seed)</small></h3>\n<div class=\"row\">\n"
            + figures.joined(separator: "\n") + "\n</div>")
      }
      return parts.joined(separator: "\n")
    }
  }

  /// The longest side of so many pictures that all of them fit.
  private static func side(pictures: Int) -> Int {
    let pixels = Double(pixelBytes) / Double(3 * max(1, pictures))
    return min(512, max(64, Int(pixels.squareRoot())))
  }

  private func figure(_ entry: BenchEntry, side: Int) throws -> String {
    let address = HTML.address(ofPNG: try PNG.encode(try entry.picture().reduced(toFit: side)))
    var caption = "<b>\(HTML.escaped(entry.policy.name))</b>"
    if let measurement = entry.measurement {
      if let psnr = measurement.peakSignalToNoiseRatio {
        caption += "<br>\(psnr.isFinite ? DecimalText.fixed(psnr, digits: 2) + " dB" : "equal")"
        if let ssim = measurement.structuralSimilarity { caption += ", SSIM \(DecimalText.fixed(ssim, digits: 4))" }
        if let speedUp = results.speedUp(entry) {
          caption += "<br>\(DecimalText.fixed(speedUp, digits: 2)) times faster"
        }
      } else {
        caption += "<br>\(DecimalText.fixed(measurement.seconds, digits: 2)) s"
      }
    }
    let name = HTML.escaped("\(entry.settings.title), \(entry.policy.name)")
    return "<figure><img src=\"\(address)\" alt=\"\(name)\"><figcaption>\(caption)</figcaption></figure>"
  }

  private static let style = """
    body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em; color: #222; background: #fff; }
    h1, h2, h3 { line-height: 1.2; } small { color: #666; font-weight: normal; }
    table { border-collapse: collapse; } th, td { padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: right; }
    th:first-child, td:first-child { text-align: left; } td { overflow-wrap: anywhere; }
    svg { max-width: 60em; } svg text { font-size: 12px; fill: currentColor; } circle { fill: #1769aa; }
    .grid { stroke: #8883; } .error { stroke: #1769aa; }
    .row { display: flex; flex-wrap: wrap; gap: .8em; } figure { margin: 0; } img { display: block; max-width: 20em; }
    figcaption { font-size: 13px; max-width: 20em; }
    @media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818; } th, td { border-color: #444; } }
    """
}
