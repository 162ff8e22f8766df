import Foundation
import StrictJSON
import Testing

@testable import clusca

struct GenerateListTests {
  /// The times at which the pictures were last changed.
  private func dates(_ folder: TemporaryFolder, _ names: [String]) throws -> [Date?] {
    try names.map {
      try FileManager.default.attributesOfItem(atPath: "\(folder.path)/\($0)")[.modificationDate] as? Date
    }
  }

  @Test func aListThatWasInterruptedIsContinued() throws {
    let folder = try TemporaryFolder()
    let list = try folder.file("list.txt", "a cat\n# no prompt\n\na dog\na cat\n")
    let arguments = ["generate", "-m", TinyModels.schnell] + TinyModels.small + ["--prompts-file", list]
    let pattern = ["-o", "\(folder.path)/x_%02d.png", "--cache-option", "propagation_ratio=1"]
    let first = try Program.run(arguments + pattern)
    #expect(first.status == 0, "\(first.errors)")
    let names = ["x_00.png", "x_01.png", "x_02.png"]
    #expect(folder.names == ["list.txt"] + names)
    let whole = try names.map { try Data(contentsOf: URL(filePath: "\(folder.path)/\($0)")) }
    #expect(whole[0] == whole[2] && whole[0] != whole[1])

    try FileManager.default.removeItem(atPath: "\(folder.path)/x_01.png")
    let before = try dates(folder, ["x_00.png", "x_02.png"])
    let second = try Program.run(arguments + pattern)
    #expect(second.status == 0 && second.output == "\(folder.path)/x_01.png\n", "\(second.errors)")
    #expect(second.errors.contains("2 pictures are there already"))
    #expect(try dates(folder, ["x_00.png", "x_02.png"]) == before)
    #expect(try Data(contentsOf: URL(filePath: "\(folder.path)/x_01.png")) == whole[1])

    let third = try Program.run(arguments + pattern)
    #expect(third.status == 0 && third.output.isEmpty)

    // Other settings are another picture, which is neither kept for it nor replaced.
    let other = try Program.run(arguments + pattern + ["--seed", "4"])
    #expect(other.status == ExitStatus.output.rawValue && other.hasOneSentence, "\(other.errors)")
    #expect(other.errors.contains("x_00.png") && other.errors.contains("\"seed\""))
    let forced = try Program.run(arguments + pattern + ["--seed", "4", "--force"])
    #expect(forced.status == 0 && forced.output.split(separator: "\n").count == 3)
  }

  @Test func picturesOfRandomSeedsAreNotRenderedTwice() throws {
    let folder = try TemporaryFolder()
    let list = try folder.file("list.jsonl", "{\"prompt\":\"a\",\"seed\":-1}\n{\"prompt\":\"b\"}\n")
    let arguments =
      ["generate", "-m", TinyModels.schnell] + TinyModels.small + ["--prompts-file", list, "-s", "-1"]
      + ["-o", "\(folder.path)/%d.png"]
    #expect(try Program.run(arguments).status == 0)
    let second = try Program.run(arguments)
    #expect(second.status == 0 && second.output.isEmpty, "\(second.errors)")
  }

  @Test func columnsSetWhatThePicturesAre() throws {
    let folder = try TemporaryFolder()
    let list = try folder.file(
      "list.csv",
      "prompt,seed,steps,width,height,negative_prompt,cfg_scale,guidance,output\r\n"
        + "\"a, cat\",5,1,48,16,fog,2,4,\(folder.path)/own/%s.png\r\na dog,,,,,,,,\r\n")
    let outcome = try TinyModels.generate(
      TinyModels.dev, "--prompts-file", list, "-s", "8", "-o", "\(folder.path)/x.png")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let first = try TinyModels.settings("\(folder.path)/own/5.png")
    #expect(first["prompt"] == "a, cat" && first["steps"] == 1 && first["width"] == 48 && first["height"] == 16)
    #expect(first["negative_prompt"] == "fog" && first["cfg_scale"]?.double == 2 && first["guidance"]?.double == 4)
    let second = try TinyModels.settings("\(folder.path)/x.png")
    #expect(second["prompt"] == "a dog" && second["seed"] == 8 && second["width"] == 32)
  }

  @Test func aListCanComeFromTheStandardInput() throws {
    let folder = try TemporaryFolder()
    let outcome = try TinyModels.generate(
      TinyModels.schnell, "--prompts-file", "-", "-o", "\(folder.path)/x.png", input: "a\nb\n")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(folder.names == ["x-1.png", "x.png"])
    #expect(try TinyModels.settings("\(folder.path)/x-1.png")["prompt"] == "b")
  }

  @Test(arguments: [
    ("x.txt", Array("caf".utf8) + [0xE9], "line 1"),
    ("x.jsonl", Array("{\"prompt\":\"a\",\"width\":20000}".utf8), "16384"),
    ("x.csv", Array("prompt,steps\na,0".utf8), "line 2"), ("x.json", Array("{}".utf8), ".json"),
    ("x.csv", Array("prompt,output\na,%x.png".utf8), "line 2"), ("x.txt", [], "no prompts"),
    ("x.csv", Array("prompt,width\na,3".utf8), "3"),
  ])
  func whatAListGetsWrongIsOneSentence(name: String, bytes: [UInt8], part: String) throws {
    let folder = try TemporaryFolder()
    let list = try folder.file(name, bytes)
    let outcome = try TinyModels.generate(TinyModels.schnell, "--prompts-file", list, "-o", "\(folder.path)/p.png")
    let statuses = [ExitStatus.input.rawValue, ExitStatus.usage.rawValue]
    #expect(statuses.contains(outcome.status) && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(outcome.errors.contains(part), "\(outcome.errors)")
    #expect(folder.names == [name])
  }
}
