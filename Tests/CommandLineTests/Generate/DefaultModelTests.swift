import Foundation
import Media
import Rendering
import StrictJSON
import Testing

@testable import clusca

/// The models that come with the program, without `--model` and by their names.
struct DefaultModelTests {
  private func generate(_ arguments: String..., output: String) throws -> Program.Outcome {
    try Program.run(["generate", "--steps", "2", "--cache", "none", "-o", output] + arguments)
  }

  @Test func aClassWithoutAModelIsMadeByTheDiTOfTheProgram() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try generate("--class-label", "pizza", "--seed", "3", output: path)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let settings = try TinyModels.settings(path)
    #expect(settings["model"] == "default-dit" && settings["class_name"] == "pizza, slice of pizza")
    #expect(settings["width"] == 128 && settings["height"] == 128)

    let named = "\(folder.path)/named.png"
    #expect(try generate("-m", "default-dit", "--class-label", "PIZZA", "--seed", "3", output: named).status == 0)
    #expect(try PNG.file(named) == PNG.file(path))
    let again = "\(folder.path)/again.png"
    let repeated = try Program.run("generate", "--from", path, "-o", again)
    #expect(repeated.status == 0, "\(repeated.errors)")
    #expect(try PNG.file(again) == PNG.file(path))
  }

  @Test func workersFindTheDiTOfTheProgramToo() throws {
    let folder = try TemporaryFolder()
    let (alone, shared) = ("\(folder.path)/alone.png", "\(folder.path)/shared.png")
    #expect(try generate("--class-label", "rocket", output: alone).status == 0)
    let outcome = try generate("--class-label", "rocket", "--workers", "2", output: shared)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try PNG.file(shared) == PNG.file(alone))
  }

  @Test func aListOfClassesIsForTheDiTAndAListWithAPromptIsNot() throws {
    let folder = try TemporaryFolder()
    let classes = try folder.file("classes.csv", "class_label\npizza\npanda\n")
    let outcome = try generate("--prompts-file", classes, output: "\(folder.path)/%d.png")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try TinyModels.settings("\(folder.path)/1.png")["class_name"] == "panda, panda bear")
    let mixed = try folder.file("mixed.jsonl", "{\"class_label\":\"pizza\"}\n{\"prompt\":\"a panda\"}\n")
    let refused = try generate("--prompts-file", mixed, output: "\(folder.path)/mixed-%d.png")
    #expect(refused.status == ExitStatus.usage.rawValue && refused.hasOneSentence, "\(refused.errors)")
    #expect(refused.errors.contains("--class-label is for models of classes such as DiT, but default takes prompts"))
  }

  @Test func framesWithoutAModelAreMadeByTheHunyuanVideoOfTheProgram() throws {
    let folder = try TemporaryFolder()
    let (alone, shared) = ("\(folder.path)/alone-%02d.png", "\(folder.path)/shared-%02d.png")
    let prompt = ["-p", "a pizza moving right", "--frames", "5"]
    let outcome = try Program.run(["generate", "--steps", "2", "-o", alone] + prompt)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let first = alone.replacing("%02d", with: "00")
    let settings = try TinyModels.settings(first)
    #expect(settings["model"] == "default-hunyuan" && settings["frames"] == 5 && settings["fps"] == 8.0)
    #expect(settings["width"] == 64 && settings["height"] == 64 && settings["cfg_scale"] == 3.0)
    #expect(try Program.run(["generate", "--steps", "2", "--workers", "2", "-o", shared] + prompt).status == 0)
    for frame in 0..<5 {
      let number = "0\(frame)"
      #expect(
        try PNG.file(alone.replacing("%02d", with: number)) == PNG.file(shared.replacing("%02d", with: number)))
    }
  }

  @Test func comparingCachesOfAClassTakesTheDiTToo() throws {
    let outcome = try Program.run("compare", "--class-label", "pizza", "--steps", "4", "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("psnr"))
  }

  @Test func everyNameOfAClassMeansThatClass() throws {
    guard case .folder(let path) = try DefaultModel.classes.reference() else {
      Issue.record("The model of classes is no folder")
      return
    }
    let checkpoint = try DiTCheckpoint(folder: path)
    let named = (0..<checkpoint.labels.count).filter { checkpoint.labels.name(of: $0) != "class \($0)" }
    #expect(named == Array(0..<287))
    for label in named {
      for name in checkpoint.labels.name(of: label).split(separator: ", ") {
        #expect(try checkpoint.labels.label(String(name)) == label)
      }
    }
  }
}
