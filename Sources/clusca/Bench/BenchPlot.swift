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
      let place = Self.text(x.place(tick))
      lines.append(
        "<line class=\"grid\" x1=\"\(place)\" x2=\"\(place)\" y1=\"\(Self.text(y.pixels.0))\" y2=\"\(Self.text(y.pixels.1))\"/>"
      )
      lines.append(
        "<text x=\"\(place)\" y=\"\(Self.text(y.pixels.0 + 16))\" text-anchor=\"middle\">\(Self.tick(tick))</text>")
    }
    for tick in y.ticks {
      let place = Self.text(y.place(tick))
      lines.append(
        "<line class=\"grid\" x1=\"\(Self.text(x.pixels.0))\" x2=\"\(Self.text(x.pixels.1))\" y1=\"\(place)\" y2=\"\(place)\"/>"
      )
      lines.append(
        "<text x=\"\(Self.text(x.pixels.0 - 6))\" y=\"\(Self.text(y.place(tick) + 4))\" text-anchor=\"end\">\(Self.tick(tick))</text>"
      )
    }
    lines.append(
      "<text x=\"\(Self.text((x.pixels.0 + x.pixels.1) / 2))\" y=\"\(Self.text(Self.height - 6))\" text-anchor=\"middle\">times faster than no caching</text>"
    )
    lines.append(
      "<text transform=\"translate(14 \(Self.text((y.pixels.0 + y.pixels.1) / 2))) rotate(-90)\" text-anchor=\"middle\">PSNR to no caching, dB</text>"
    )
    for point in points {
      let (speed, quality) = (ends(point.speedUp).map(x.place), ends(point.psnr).map(y.place))
      let (cx, cy) = (x.place(point.speedUp.mean), y.place(point.psnr.mean))
      lines.append(
        "<line class=\"error\" x1=\"\(Self.text(speed[0]))\" x2=\"\(Self.text(speed[1]))\" y1=\"\(Self.text(cy))\" y2=\"\(Self.text(cy))\"/>"
      )
      lines.append(
        "<line class=\"error\" x1=\"\(Self.text(cx))\" x2=\"\(Self.text(cx))\" y1=\"\(Self.text(quality[0]))\" y2=\"\(Self.text(quality[1]))\"/>"
      )
      lines.append("<circle cx=\"\(Self.text(cx))\" cy=\"\(Self.text(cy))\" r=\"4\"/>")
      lines.append("<text x=\"\(Self.text(cx + 8))\" y=\"\(Self.text(cy - 6))\">\(HTML.escaped(point.name))</text>")
    }
    return (lines + ["</svg>"]).joined(separator: "\n")
  }

  private static func text(_ value: Double) -> String { DecimalText.fixed(value, digits: 1) }

  private static func tick(_ value: Double) -> String {
    DecimalText.fixed(value, digits: value.rounded() == value ? 0 : (10 * value).rounded() == 10 * value ? 1 : 2)
  }
}
