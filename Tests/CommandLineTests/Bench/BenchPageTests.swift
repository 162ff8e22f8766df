import Foundation
import Measuring
import Testing

@testable import clusca

struct BenchPageTests {
  @Test func bytesBecomeWhatFoundationMakesOfThem() {
    for count in 0..<20 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 250) }
      #expect(HTML.address(ofPNG: bytes) == "data:image/png;base64," + Data(bytes).base64EncodedString())
    }
  }

  @Test func whatAPageWouldTakeForATagIsText() {
    #expect(HTML.escaped("<a href='x'>&\"</a>") == "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;")
    #expect(HTML.escaped("é 狐") == "é 狐")
  }

  @Test(
    arguments: [[], [(1.0, 30.0)], [(2, 30), (2, 30)], [(1.5, 22), (4.75, 100), (0.9, 41.5)]] as [[(Double, Double)]])
  func everyPointLiesWithinThePlot(values: [(Double, Double)]) throws {
    let points = values.map { ("p<q", Sample(values: [$0.0, $0.0 + 0.1]), Sample(values: [$0.1, $0.1 + 1])) }
    let svg = BenchPlot(points: points).svg
    #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>") && !svg.contains("nan") && !svg.contains("p<q"))
    let circles = svg.matches(of: /<circle cx="([-.0-9]+)" cy="([-.0-9]+)"/)
    #expect(circles.count == values.count)
    for circle in circles {
      let (x, y) = (try #require(Double(circle.1)), try #require(Double(circle.2)))
      #expect((56.0...590).contains(x) && (14.0...376).contains(y))
    }
  }

  @Test func aPlotOfAPolicyWithoutMeasurementsLeavesItOut() {
    #expect(!BenchPlot(points: [("x", Sample(), Sample())]).svg.contains("circle"))
  }
}
