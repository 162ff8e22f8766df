import Measuring

/// Speed against quality as SVG: a point a policy, with bars of one standard error.
struct BenchPlot {
  /// Names of axes and points, and where these lie.
  let points: [(name: String, speedUp: Sample, psnr: Sample)]

  private static let (width, height, left, bottom) = (760.0, 420.0, 56.0, 44.0)
  private static let (right, top) = (170.0, 14.0)

  private struct Axis {
    let range: ClosedRange<Double>
    let pixels: (Double, Double)
    let ticks: [Double]

    /// - Parameter pixels: where the ends of the axis lie.
    init(_ values: [Double], pixels: (Double, Double)) {
      let (low, high) = (values.min() ?? 0, values.max() ?? 1)
      let step = Self.step((max(high - low, 0.1)) / 5)
      let first = (low / step).rounded(.down) * step - (low == high ? step : 0)
      let count = max(1, Int(((high - first) / step).rounded(.up)))
      ticks = (0...count).map { first + Double($0) * step }
      range = first...(first + Double(count) * step)
      self.pixels = pixels
    }

    /// 1, 2 or 5 times a power of ten.
    private static func step(_ least: Double) -> Double {
      var power = 1e-3
      while true {
        for factor in [1.0, 2, 5] where factor * power >= least { return factor * power }
        power *= 10
      }
    }

    func place(_ value: Double) -> Double {
      let share = (value - range.lowerBound) / (range.upperBound - range.lowerBound)
      return pixels.0 + share * (pixels.1 - pixels.0)
    }
  }

  var svg: String {
    let points = points.filter { $0.speedUp.mean.isFinite && $0.psnr.mean.isFinite }
    func ends(_ sample: Sample) -> [Double] {
      let error = sample.standardError.isFinite ? sample.standardError : 0
      return [sample.mean - error, sample.mean + error]
    }
    let x = Axis(points.flatMap { ends($0.speedUp) }, pixels: (Self.left, Self.width - Self.right))
    let y = Axis(points.flatMap { ends($0.psnr) }, pixels: (Self.height - Self.bottom, Self.top))
    var lines = [
      "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\" "
        + "aria-label=\"Speed-up against PSNR of each policy\">"
    ]
    for tick in x.ticks {
      lines.append(Self.line("grid", (x.place(tick), y.pixels.0), (x.place(tick), y.pixels.1)))
      lines.append(Self.text(Self.tick(tick), at: (x.place(tick), y.pixels.0 + 16), "middle"))
    }
    for tick in y.ticks {
      lines.append(Self.line("grid", (x.pixels.0, y.place(tick)), (x.pixels.1, y.place(tick))))
      lines.append(Self.text(Self.tick(tick), at: (x.pixels.0 - 6, y.place(tick) + 4), "end"))
    }
    let (middle, centre) = ((x.pixels.0 + x.pixels.1) / 2, (y.pixels.0 + y.pixels.1) / 2)
    lines.append(Self.text("times faster than no caching", at: (middle, Self.height - 6), "middle"))
    lines.append(
      "<text transform=\"translate(14 \(Self.text(centre))) rotate(-90)\" text-anchor=\"middle\">"
        + "PSNR to no caching, dB</text>")
    var labels: [Label] = []
    for point in points {
      let (speed, quality) = (ends(point.speedUp).map(x.place), ends(point.psnr).map(y.place))
      let (cx, cy) = (x.place(point.speedUp.mean), y.place(point.psnr.mean))
      lines.append(Self.line("error", (speed[0], cy), (speed[1], cy)))
      lines.append(Self.line("error", (cx, quality[0]), (cx, quality[1])))
      lines.append("<circle cx=\"\(Self.text(cx))\" cy=\"\(Self.text(cy))\" r=\"4\"/>")
      let label = Label(point.name, at: (cx, cy), apartFrom: labels)
      labels.append(label)
      lines.append(Self.text(HTML.escaped(point.name), at: (label.x, label.y), "start"))
    }
    return (lines + ["</svg>"]).joined(separator: "\n")
  }

  /// Where the name of a point stands.
  private struct Label {
    let x: Double
    let y: Double
    private let width: Double

    /// Beside the point, above or below, where no other name is; the first of these places if all are taken.
    init(_ name: String, at point: (x: Double, y: Double), apartFrom others: [Label]) {
      // Letters of 12 pixels are about 6.5 wide.
      let width = 6.5 * Double(name.count)
      let places = [-6.0, 16, -20, 30, -34, 44].flatMap { below in
        [(point.x + 8, point.y + below), (point.x - 8 - width, point.y + below)]
      }
      let free = places.first { place in
        place.0 >= BenchPlot.left && place.0 + width <= BenchPlot.width && place.1 >= 12
          && place.1 <= BenchPlot.height - BenchPlot.bottom
          && others.allSatisfy {
            place.0 >= $0.x + $0.width || place.0 + width <= $0.x || abs(place.1 - $0.y) >= 13
          }
      }
      (x, y) = free ?? places[0]
      self.width = width
    }
  }

  private static func line(_ kind: String, _ from: (Double, Double), _ to: (Double, Double)) -> String {
    "<line class=\"\(kind)\" x1=\"\(text(from.0))\" y1=\"\(text(from.1))\" x2=\"\(text(to.0))\" y2=\"\(text(to.1))\"/>"
  }

  /// - Parameter text: escaped.
  private static func text(_ text: String, at place: (Double, Double), _ anchor: String) -> String {
    "<text x=\"\(Self.text(place.0))\" y=\"\(Self.text(place.1))\" text-anchor=\"\(anchor)\">\(text)</text>"
  }

  private static func text(_ value: Double) -> String { DecimalText.fixed(value, digits: 1) }

  private static func tick(_ value: Double) -> String {
    DecimalText.fixed(value, digits: value.rounded() == value ? 0 : (10 * value).rounded() == 10 * value ? 1 : 2)
  }
}
