import Conditioning
import Files
import StrictJSON
import Tensors
import Testing

@Suite struct ClassLabelsTests {
  private func labels(_ names: JSONObject, count: Int = 1000) throws -> ClassLabels {
    try ClassLabels(
      PartConfiguration(path: "model_index.json", json: .object(["id2label": .object(names)])), count: count)
  }

  private func imagenet() throws -> ClassLabels {
    try labels([
      "0": "tench, Tinca tinca", "1": "goldfish, Carassius auratus", "134": "crane",
      "264": "Cardigan, Cardigan Welsh corgi",
      "474": "cardigan", "517": "crane", "999": "toilet tissue, toilet paper, bathroom tissue",
    ])
  }

  @Test func aClassIsItsNumberOrAnyOfItsNames() throws {
    let labels = try imagenet()
    for (text, label) in [
      ("0", 0), ("999", 999), (" 7 ", 7), ("tench", 0), ("Tinca Tinca", 0), ("TENCH, TINCA TINCA", 0),
      (" Toilet Paper\n", 999), ("goldfish", 1),
    ] {
      #expect(try labels.label(text) == label, "\(text)")
    }
    #expect(labels.name(of: 999) == "toilet tissue, toilet paper, bathroom tissue" && labels.name(of: 5) == "class 5")
  }

  @Test func upperAndLowerCaseCountWhereTheyTellNamesApart() throws {
    let labels = try imagenet()
    #expect(try labels.label("cardigan") == 474 && labels.label("Cardigan") == 264)
    let error = #expect(throws: ClassLabels.Unknown.self) { try labels.label("CARDIGAN") }
    #expect(error?.description.contains("264") == true && error?.description.contains("474") == true)
  }

  @Test func aNameOfSeveralClassesAsksForTheNumber() throws {
    let error = try #require(throws: ClassLabels.Unknown.self) { try imagenet().label("crane") }
    #expect(error.description.contains("134") && error.description.contains("517"))
  }

  @Test(arguments: [
    ("tenhc", "tench"), ("gold", "goldfish"), ("Goldfsh", "goldfish"), ("paper", "toilet paper"),
    ("toilet papr", "toilet paper"), ("corgi", "Cardigan Welsh corgi"), ("tinca", "Tinca tinca"),
  ])
  func aWrongNameListsNearOnes(text: String, near: String) throws {
    let error = try #require(throws: ClassLabels.Unknown.self) { try imagenet().label(text) }
    #expect(error.description.contains(near), "\(error)")
  }

  @Test(arguments: ["", " ", "1000", "-1", "1.5", "9999999999999999999999", "no such thing at all", "zzz"])
  func whatIsNoClassIsRefused(text: String) throws {
    let labels = try imagenet()
    #expect(throws: ClassLabels.Unknown.self) { try labels.label(text) }
  }

  @Test func longTextsAreCutInTheMessage() throws {
    let error = try #require(throws: ClassLabels.Unknown.self) {
      try imagenet().label(String(repeating: "x", count: 60_000))
    }
    #expect(error.description.utf8.count < 300)
  }

  @Test func withoutNamesThereAreNumbers() throws {
    let labels = try ClassLabels(PartConfiguration(path: "model_index.json", json: .object([:])), count: 10)
    #expect(try labels.label("9") == 9)
    let error = #expect(throws: ClassLabels.Unknown.self) { try labels.label("tench") }
    #expect(error?.description.contains("id2label") == true)
  }

  @Test(
    arguments: [
      ["x": "a"], ["1000": "a"], ["-1": "a"], ["1": 7], ["1": .null],
    ] as [JSONObject])
  func aTableThatDoesNotFitIsRefused(names: JSONObject) throws {
    #expect(throws: FileError.self) { try labels(names) }
  }
}
