import Testing

@testable import Media

@Suite struct OutputPatternTests {
  @Test(arguments: [
    ("out.png", "out.png"), ("%d.png", "7.png"), ("%04d.png", "0007.png"), ("a/%s/%03d-%s.png", "a/42/007-42.png"),
    ("100%%-%d", "100%-7"), ("%%d", "%d"), ("%%%d", "%7"), ("猫\u{301}%s", "猫\u{301}42"), ("%01d", "7"),
    ("%09d", "000000007"), ("x%%", "x%"),
  ])
  func placeholdersAreFilled(pattern: String, path: String) throws {
    #expect(try OutputPattern(pattern).path(index: 7, seed: 42) == path)
  }

  @Test func aPatternTellsWhetherItHasTheIndex() throws {
    #expect(try ["%d.png", "a-%04d", "%s/%d"].allSatisfy { try OutputPattern($0).hasIndex })
    #expect(try !["x.png", "%s.png", "100%%"].contains { try OutputPattern($0).hasIndex })
  }

  @Test func largeAndNegativeNumbersKeepTheirDigits() throws {
    #expect(try OutputPattern("%02d-%s").path(index: 12345, seed: UInt64.max) == "12345-18446744073709551615")
    #expect(try OutputPattern("%03d-%s").path(index: -5, seed: -1) == "-005--1")
    #expect(try OutputPattern("%d").path(index: Int.min, seed: 0) == "-9223372036854775808")
  }

  @Test(arguments: [
    "%", "x%", "%n", "%x", "%i", "%u", "%*d", "%5d", "%00d", "%010d", "%99999999999999999999d", "%-4d", "%.2d", "%04s",
    "%1$d", "%ld", "%d%", "%4%", "% d", "%\u{301}d", "%猫", "", "/", "a/", "%s/", ".", "..", "a/..", "a\0b.png",
  ])
  func otherFormatsAreRefusedInASentence(pattern: String) {
    let error = mediaError { _ = try OutputPattern(pattern) }
    #expect(error?.description.hasPrefix("The output pattern \"") == true)
    #expect(error?.description.hasSuffix(".") == true)
  }

  @Test func theSentenceShowsWhatIsWrong() {
    #expect(
      mediaError { _ = try OutputPattern("%x.png") }?.description
        == "The output pattern \"%x.png\" cannot be used: %x is not one of %d, %01d to %09d, %s and %%.")
  }

  @Test func picturesOfOneNameAreNumbered() throws {
    #expect(try OutputPattern("x.png").paths(seeds: [1, 2, 3]) == ["x.png", "x-1.png", "x-2.png"])
    #expect(try OutputPattern("x.png").paths(seeds: [1]) == ["x.png"])
    #expect(try OutputPattern("x.png").paths(seeds: [Int]()) == [])
    #expect(try OutputPattern("%s.png").paths(seeds: [5, 6, 5, 5]) == ["5.png", "6.png", "5-1.png", "5-2.png"])
    #expect(try OutputPattern("%02d.png").paths(seeds: [5, 5], firstIndex: 9) == ["09.png", "10.png"])
    // The number of one must not be the name of another.
    #expect(try OutputPattern("%s").paths(seeds: [5, 5, 5]) == ["5", "5-1", "5-2"])
    #expect(try OutputPattern("1%s").paths(seeds: [5, 5, -1, 5]).count == 4)
    #expect(try Set(OutputPattern("x%s").paths(seeds: [0, 0, 0, -1])).count == 4)
  }

  @Test func aPatternKnowsWhetherItNumbers() throws {
    #expect(try !OutputPattern("x%%.png").hasPlaceholder)
    #expect(try OutputPattern("%d").hasPlaceholder)
    #expect(try OutputPattern("%s").hasPlaceholder)
  }
}
