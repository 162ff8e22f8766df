import StrictJSON
import Testing

@Suite struct JSONValueTests {
  @Test func aDocumentKeepsTheOrderOfItsMembers() throws {
    let value = try JSONValue(parsing: #" {"b": 1, "a": [true, null, -2.5e1, "x\u00e9\ud83d\ude00\n"]} "#)
    #expect(value.object?.keys == ["b", "a"])
    #expect(value["a"] == [true, nil, .number(-25), "xé😀\n"])
    #expect(value.text() == #"{"b":1,"a":[true,null,-25.0,"xé😀\n"]}"#)
    #expect(try JSONValue(parsing: value.text(pretty: true)) == value)
  }

  @Test func canonicallyEqualKeysAreDifferentMembers() throws {
    let value = try JSONValue(parsing: #"{"é": 1, "é": 2}"#)
    #expect(value.object?.count == 2)
    #expect(value["e\u{301}"]?.int == 2)
  }

  @Test(arguments: [
    "", "{", "[1,]", #"{"a":1,"a":2}"#, "01", "1.", "nul", #""\ud800""#, #""\x""#, "\"\u{1}\"", "1 2", "-", "1e999",
    #"{"a" 1}"#, "[1 2]", "\"abc",
  ])
  func aBrokenDocumentIsRefused(text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
  }

  @Test func numbersThatOnlyPythonWritesAreReadOnRequest() throws {
    let text = "[Infinity,-Infinity,NaN]"
    #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    let value = try JSONValue(parsing: text, limits: JSONLimits(acceptsNonFiniteNumbers: true))
    #expect(value[0]?.double == .infinity && value[1]?.double == -.infinity && value[2]?.double?.isNaN == true)
    #expect(throws: JSONError.self) {
      try JSONValue(parsing: "[-NaN]", limits: JSONLimits(acceptsNonFiniteNumbers: true))
    }
  }

  @Test func depthAndSizeAreBounded() throws {
    let deep = String(repeating: "[", count: 33) + String(repeating: "]", count: 33)
    #expect(try JSONValue(parsing: deep).array?.count == 1)
    #expect(throws: JSONError.self) { try JSONValue(parsing: "[" + deep + "]") }
    #expect(throws: JSONError.self) { try JSONValue(parsing: "[1,2,3]", limits: JSONLimits(maximumBytes: 6)) }
  }

  @Test func invalidUTF8IsRefused() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
  }
}
