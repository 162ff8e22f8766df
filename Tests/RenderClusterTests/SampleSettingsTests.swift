import FeatureCaching
import Messaging
import Rendering
import Testing

@testable import RenderCluster

/// What travels of a sample's setup beside numbers and tensors.
@Suite struct SampleSettingsTests {
  @Test func theCachingOfEveryFamilyArrivesAsItWasSent() throws {
    for family in [CacheSettings.flux, .dit, .hunyuan] {
      for method in CacheSettings.Method.allCases {
        for quirks in [[], family.authorsQuirks] {
          var cache = family.using(method)
          cache.quirks = quirks
          let arrived = try SampleSettings(SampleSettings(cache: cache, classLabel: nil, timesteps: []).payload).cache
          // What the method does not name has no meaning for it.
          #expect(arrived.json == cache.json && arrived.authorsQuirks == cache.authorsQuirks)
          #expect(arrived.propagatingStreams == cache.propagatingStreams)
          if method == .clusca { #expect(arrived == cache) }
          #expect(arrived.family == cache.family)
        }
      }
    }
  }

  @Test(arguments: [(nil, 5), (207, nil), (nil, nil)] as [(Int?, Int?)])
  func classAndPaddingArriveAsTheyWereSent(label: Int?, validTokens: Int?) throws {
    let settings = SampleSettings(cache: .hunyuan, classLabel: label, validTokens: validTokens, timesteps: [])
    #expect(try SampleSettings(settings.payload) == settings)
  }

  @Test func timesArriveToTheLastBit() throws {
    let timesteps: [Float] = [1000, 998.98962, 1.0 / 3, 0]
    let settings = SampleSettings(cache: .flux, classLabel: nil, timesteps: timesteps)
    #expect(try SampleSettings(settings.payload).timesteps == timesteps)
  }

  @Test func theTimesOfAsManyStepsAsThereMayBeFitIntoAMessage() {
    let timesteps = (0..<10_000).map { 1000 - Float($0) / 10.01 }
    let settings = SampleSettings(cache: .hunyuan, classLabel: nil, timesteps: timesteps)
    #expect(settings.payload.bytes.count <= Limits().settingsBytes)
  }

  @Test(arguments: [[1000.5], [20, -1]] as [[Float]])
  func timesOutsideOfTheNoiseLevelsAreRefused(timesteps: [Float]) {
    let settings = SampleSettings(cache: .flux, classLabel: nil, timesteps: timesteps)
    #expect(throws: WireError.self) { try SampleSettings(settings.payload) }
  }
}
