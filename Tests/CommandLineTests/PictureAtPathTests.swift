import StrictJSON
import Testing

@testable import clusca

struct PictureAtPathTests {
  private var entry: PromptEntry {
    var entry = PromptEntry()
    entry.prompt = "a cat"
    entry.seed = 7
    entry.guidance = 4
    return entry
  }

  private let made: JSONValue = ["prompt": "a cat", "seed": 7, "guidance": 4.0, "steps": 20, "model": "m"]

  @Test func aPictureOfTheSameSettingsIsDone() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("x.png", try Samples.png(settings: made))
    #expect(entry.isDone(at: path))
    #expect(entry.isDone(at: path, common: ["model": "m", "steps": 20]))
  }

  @Test func aPictureOfOtherSettingsIsNot() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("x.png", try Samples.png(settings: made))
    #expect(!entry.isDone(at: path, common: ["steps": 21]))
    #expect(!entry.isDone(at: path, common: ["scheduler": "ddim"]))
    var other = entry
    other.seed = 8
    #expect(!other.isDone(at: path))
    #expect(
      PictureAtPath(path: path, settings: ["prompt": "a dog"])
        == .other(reason: "\(path) was made with another \"prompt\"."))
  }

  @Test func aPromptIsComparedByBytes() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("x.png", try Samples.png(settings: ["prompt": "\u{E9}"]))
    #expect(PictureAtPath(path: path, settings: ["prompt": "\u{E9}"]) == .same)
    #expect(PictureAtPath(path: path, settings: ["prompt": "e\u{301}"]) != .same)
  }

  @Test func whatIsMissingOrDamagedIsNotDone() throws {
    let folder = try TemporaryFolder()
    #expect(PictureAtPath(path: "\(folder.path)/none.png", settings: [:]) == .missing)
    let whole = try Samples.png(settings: made)
    for count in [0, 20, whole.count / 2, whole.count - 1] {
      let path = try folder.file("cut.png", whole.prefix(count))
      #expect(!entry.isDone(at: path))
    }
    let silent = try folder.file("silent.png", try Samples.png())
    #expect(!entry.isDone(at: silent))
  }
}
