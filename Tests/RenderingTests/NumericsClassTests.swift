import Tensors
import Testing

@testable import Rendering

/// Which bits a machine computes, in one number.
@Suite(.serialized) struct NumericsClassTests {
  @Test func itIsTheSameEveryTimeAndOnAnyNumberOfThreads() throws {
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    let expected = try NumericsClass.current()
    for count in [1, 2, 4] {
      ThreadPool.shared.setThreads(count)
      #expect(try NumericsClass.current() == expected)
    }
  }

  @Test func everyResultIsANumberAndNoneIsZeroAllOver() throws {
    let results = try NumericsClass.results()
    #expect(results.count == Set(results.map(\.name)).count && results.count > 15)
    for (name, result) in results {
      #expect(result.elements.allSatisfy(\.isFinite) && result.elements.contains { $0 != 0 }, "\(name)")
    }
  }

  @Test func itTakesAMomentOnly() throws {
    _ = try NumericsClass.current()
    let fastest = try (0..<5).map { _ in
      try ContinuousClock().measure { _ = try NumericsClass.current() }
    }.min()
    #expect(try #require(fastest) < .milliseconds(200), "\(String(describing: fastest))")
  }
}
