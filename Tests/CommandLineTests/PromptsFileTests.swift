import Files
import Media
import Testing

@testable import clusca

struct PromptsFileTests {
  private func entries(_ text: String, _ format: PromptsFile.Format) throws -> [PromptEntry] {
    try PromptsFile(name: "list", format: format, bytes: Array(text.utf8)).entries
  }

  private func refusal(_ bytes: [UInt8], _ format: PromptsFile.Format) -> CommandFailure? {
    do throws(CommandFailure) {
      _ = try PromptsFile(name: "list", format: format, bytes: bytes)
      return nil
    } catch {
      return error
    }
  }

  @Test func aLineIsAPrompt() throws {
    let text = "\u{FEFF}a cat\r\n\n  # not this\n\\# but this \n\u{E9}t\u{E9}, \"quoted\"\n"
    let entries = try entries(text, .lines)
    #expect(entries.map(\.prompt) == ["a cat", "# but this", "\u{E9}t\u{E9}, \"quoted\""])
    #expect(entries.map(\.line) == [1, 4, 5])
  }

  @Test func columnsSetWhatTheyName() throws {
    let text =
      "seed,prompt,negative_prompt,width,height,steps,guidance,cfg_scale,output\r\n"
      + "7,\"a \"\"big\"\" cat,\nasleep\",blurry,512,768,20,3.5,1,cats/%s.png\r\n\r\n,a dog,,,,,,,\r\n"
    let entries = try entries(text, .commaSeparated)
    #expect(entries.count == 2)
    let first = entries[0]
    #expect(first.prompt == "a \"big\" cat,\nasleep")
    #expect(first.negativePrompt == "blurry")
    #expect(first.seed == 7 && first.width == 512 && first.height == 768 && first.steps == 20)
    #expect(first.guidance == 3.5 && first.cfgScale == 1 && first.output == "cats/%s.png")
    var second = PromptEntry()
    second.prompt = "a dog"
    second.line = 5
    #expect(entries[1] == second)
  }

  @Test func objectsSetTheSame() throws {
    let text = "{\"prompt\":\"a cat\",\"seed\":-1,\"guidance\":4,\"steps\":null}\n\n{\"prompt\":\"\\u00e9\"}\n"
    let entries = try entries(text, .jsonLines)
    #expect(entries.map(\.prompt) == ["a cat", "\u{E9}"])
    #expect(entries[0].seed == -1 && entries[0].guidance == 4 && entries[0].steps == nil)
    #expect(entries.map(\.line) == [1, 3])
  }

  @Test(arguments: [
    ("", "holds no prompts"), ("prompt", "holds no prompts"), ("prompt,colour\na,b", "line 1: \"colour\""),
    ("seed\n1", "line 1: there is no column"), ("prompt,prompt\na,b", "line 1: the column \"prompt\" stands twice"),
    ("prompt,seed\na", "line 2: has 1 cells"), ("prompt,seed\na,x", "line 2: \"seed\" is \"x\", not a whole number"),
    ("prompt,seed\na,-2", "line 2: \"seed\" is -2"), ("prompt,width\na,0", "from 1 to 16384"),
    ("prompt,guidance\na,inf", "line 2: \"guidance\""), ("prompt,seed\n,1", "line 2: there is no prompt"),
    ("prompt\n\"a\nb", "line 2: the double quote that opens a cell is never closed"),
    ("prompt\n\"a\"b", "line 2: text stands behind"), ("prompt\na\"b\"", "line 2: a double quote stands inside"),
  ])
  func badTablesAreOneSentence(text: String, part: String) throws {
    let failure = try #require(refusal(Array(text.utf8), .commaSeparated))
    #expect(failure.status == .input)
    #expect(failure.sentence.hasPrefix("list"))
    #expect(failure.sentence.contains(part), "\(failure.sentence)")
    #expect(!failure.sentence.contains("\n"))
  }

  @Test(arguments: [
    ("{\"prompt\":\"a\"}\n[]", "line 2: is no JSON object"), ("{\"prompt\":\"a\"}\n{", "line 2: is no valid JSON"),
    ("{\"prompt\":\"a\",\"Seed\":1}", "line 1: \"Seed\" is none of the known names"),
    ("{\"prompt\":7}", "line 1: \"prompt\" is 7, not a text"), ("{\"seed\":7}", "line 1: there is no prompt"),
    ("{\"prompt\":\"a\",\"seed\":\"7\"}", "\"seed\" is \"7\""),
    ("{\"prompt\":\"a\",\"steps\":1.5}", "\"steps\" is 1.5"),
    ("{\"prompt\":\"a\\u0000\"}", "zero byte"), ("{\"prompt\":\"a\",\"prompt\":\"b\"}", "stands twice"),
    ("{\"prompt\":\"a\",\"output\":\"\"}", "\"output\" is empty"),
  ])
  func badObjectsAreOneSentence(text: String, part: String) throws {
    let failure = try #require(refusal(Array(text.utf8), .jsonLines))
    #expect(failure.sentence.contains(part), "\(failure.sentence)")
  }

  @Test func bytesThatAreNoUTF8AreRefusedWithTheirLine() throws {
    for format in [PromptsFile.Format.lines, .commaSeparated, .jsonLines] {
      let failure = try #require(refusal(Array("prompt\n".utf8) + [0x61, 0xE9, 0x0A], format))
      let isJSON = format == .jsonLines
      #expect(failure.sentence.contains(isJSON ? "line 1" : "line 2: is not valid UTF-8"))
    }
  }

  @Test func aPromptMayHave64kB() throws {
    let longest = String(repeating: "a", count: 65536)
    #expect(try entries(longest, .lines)[0].prompt == longest)
    let failure = try #require(refusal(Array((longest + "a").utf8), .lines))
    #expect(failure.sentence.contains("65537") && failure.sentence.contains("65536"))
  }

  @Test func theEndingTellsTheFormat() throws {
    #expect(try PromptsFile.format(of: "/a.b/list") == .lines)
    #expect(try PromptsFile.format(of: "/dev/fd/63") == .lines)
    #expect(try PromptsFile.format(of: "x.CSV") == .commaSeparated)
    #expect(try PromptsFile.format(of: "x.jsonl") == .jsonLines)
    #expect(throws: CommandFailure.self) { try PromptsFile.format(of: "x.json") }
  }

  @Test func aMissingFileIsNamed() throws {
    let error = #expect(throws: FileError.self) { try PromptsFile(path: "/nowhere/list.txt") }
    #expect(error.map { ErrorReport($0).status } == .input)
  }

  @Test func everyEntryHasItsPlace() throws {
    let list = try PromptsFile(
      name: "list", format: .commaSeparated, bytes: Array("prompt,output\na,\nb,own-%s.png\nc,\n".utf8))
    let paths = try list.paths(pattern: OutputPattern("out-%02d.png"), seeds: [5, 6, 7], firstIndex: 1)
    #expect(paths == ["out-01.png", "own-6.png", "out-03.png"])
    #expect(try list.paths(pattern: OutputPattern("out.png"), seeds: [5, 6, 7])[2] == "out-2.png")
  }

  @Test func twoPicturesCannotHaveOnePlace() throws {
    let list = try PromptsFile(
      name: "list", format: .commaSeparated, bytes: Array("prompt,output\na,x.png\nb,x.png\n".utf8))
    let error = #expect(throws: CommandFailure.self) {
      try list.paths(pattern: OutputPattern("out.png"), seeds: [1, 2])
    }
    #expect(error?.sentence.contains("line 3") == true && error?.sentence.contains("line 2") == true)
  }
}
