import Files
import Media
import Rendering
import StrictJSON

/// One prompt rendered twice from the same noise, with different feature caches.
struct CacheComparison {
  let first: Rendered
  let second: Rendered

  struct Rendered {
    let picture: Picture
    let report: PictureRunReport

    /// Such as `clusca interval=5,…`.
    var method: String {
      let cache = report.settings.cache
      let options = CacheOption.allCases.filter { $0.methods.contains(cache.method) }.map { option in
        let value = cache.value(of: option)
        return "\(option.rawValue)=\(value.string ?? value.text())"
      }
      return ([cache.method.rawValue] + (options.isEmpty ? [] : [options.joined(separator: ",")]))
        .joined(separator: " ")
    }
  }

  /// Renders both pictures, and writes those that have a place.
  ///
  /// - Parameter places: where the pictures go; nil for one that is not kept.
  init(
    _ settings: (PictureSettings, PictureSettings), places: (String?, String?), ifExists: AtomicFile.ExistingFile,
    model: any RenderModel, isQuiet: Bool
  ) async throws {
    let maker = PictureMaker(model: model, count: 2, isQuiet: isQuiet)
    let both = [settings.0, settings.1]
    let session = try await maker.session(both, maker.transformerWeights(both))
    func render(_ settings: PictureSettings, number: Int, to place: String?) async throws -> Rendered {
      let start = ContinuousClock.now
      let made = try await maker.make(settings, number: number, session)
      let picture = try Picture(pixels: made.pixels)
      let path = try place.map {
        try AtomicFile.write(PNG.encode(picture, texts: settings.metadata.texts()), to: $0, ifExists: ifExists)
      }
      let report = PictureRunReport(
        path: path, settings: settings, summary: made.summary, denoising: made.denoising,
        total: start.duration(to: .now))
      return Rendered(picture: picture, report: report)
    }
    first = try await render(settings.0, number: 1, to: places.0)
    second = try await render(settings.1, number: 2, to: places.1)
  }

  /// How many times more operations the first picture took than the second.
  private var operationsRatio: Double {
    Double(first.report.summary.operations) / Double(max(1, second.report.summary.operations))
  }

  /// How many times longer the steps of the first picture took than those of the second.
  private var timeRatio: Double { first.report.denoising / second.report.denoising }

  var rows: [(label: String, value: String)] {
    var rows = [
      ("first", first.method), ("", first.report.line), ("second", second.method), ("", second.report.line),
    ]
    rows.append(("FLOP ratio", DecimalText.fixed(operationsRatio, digits: 2)))
    rows.append(("time ratio", DecimalText.fixed(timeRatio, digits: 2)))
    return rows
  }

  var json: JSONObject {
    [
      "first": .object(first.report.json), "second": .object(second.report.json),
      "flop_ratio": .number(operationsRatio), "time_ratio": .number(timeRatio),
    ]
  }
}
