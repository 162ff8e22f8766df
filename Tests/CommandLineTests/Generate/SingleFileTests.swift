import Foundation
import Testing

@testable import clusca

struct SingleFileTests {
  private static let picture = TinyModels.small + ["-p", "a cat", "--no-metadata"]

  private func expectTheFoldersPicture(_ files: OriginalFiles) throws {
    let path = "\(files.folder)/x.png"
    let outcome = try Program.run(["generate"] + files.arguments + Self.picture + ["-o", path, "--force"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try Data(contentsOf: URL(filePath: path)) == TinyModels.picture())
  }

  @Test func filesOfBlackForestLabsGiveThePictureOfTheFolder() throws {
    let folder = try TemporaryFolder()
    try expectTheFoldersPicture(OriginalFiles(of: TinyModels.dev, in: folder.path))
  }

  @Test func namesMayHaveThePrefixOfOtherPrograms() throws {
    let folder = try TemporaryFolder()
    try expectTheFoldersPicture(
      OriginalFiles(of: TinyModels.dev, in: folder.path, prefix: "model.diffusion_model."))
  }

  @Test func textEncodersMayBeFolders() throws {
    let folder = try TemporaryFolder()
    let files = try OriginalFiles(of: TinyModels.dev, in: folder.path)
    let arguments = files.arguments.map { argument in
      argument.replacing("\(folder.path)/clip_l.safetensors", with: "\(TinyModels.dev)/text_encoder")
        .replacing("\(folder.path)/t5xxl.safetensors", with: "\(TinyModels.dev)/text_encoder_2")
    }
    let path = "\(folder.path)/x.png"
    #expect(try Program.run(["generate"] + arguments + Self.picture + ["-o", path]).status == 0)
    #expect(try Data(contentsOf: URL(filePath: path)) == TinyModels.picture())
  }

  @Test func aFileWithoutItsOtherPartsIsWrongUsage() throws {
    let folder = try TemporaryFolder()
    let files = try OriginalFiles(of: TinyModels.dev, in: folder.path)
    let outcome = try Program.run(
      ["generate"] + files.arguments.dropLast(2) + ["-p", "a", "-o", "\(folder.path)/x.png"])
    #expect(outcome.status == ExitStatus.usage.rawValue && outcome.hasOneSentence)
    #expect(outcome.errors.contains("--tokenizer-2"))
  }

  @Test func aFolderTakesNoParts() throws {
    let outcome = try TinyModels.generate(TinyModels.dev, "-p", "a", "--clip-l", "x", "-o", "/nowhere/x.png")
    #expect(outcome.status == ExitStatus.usage.rawValue && outcome.hasOneSentence)
    #expect(outcome.errors.contains("--clip-l"))
  }

  @Test(arguments: [
    ("flux1-x.json", "head"), ("ae.json", "autoencoder"), ("clip_l.json", "clip_l"), ("t5xxl.json", "t5xxl"),
  ])
  func aFileOfAnotherSizeNeedsItsSettingsBeside(file: String, part: String) throws {
    let folder = try TemporaryFolder()
    let files = try OriginalFiles(of: TinyModels.dev, in: folder.path)
    try FileManager.default.removeItem(atPath: "\(folder.path)/\(file)")
    let outcome = try Program.run(["generate"] + files.arguments + Self.picture + ["-o", "\(folder.path)/x.png"])
    #expect(outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
  }

  @Test func anyOtherFileIsNoTransformer() throws {
    let folder = try TemporaryFolder()
    let files = try OriginalFiles(of: TinyModels.dev, in: folder.path)
    for (name, bytes) in [
      ("x.safetensors", Samples.safetensors), ("x.gguf", Array("GGUF....".utf8)), ("empty.safetensors", []),
    ] {
      let file = try folder.file(name, bytes)
      let arguments = ["-m", file] + files.arguments.dropFirst(2)
      let outcome = try Program.run(["generate"] + arguments + Self.picture + ["-o", "\(folder.path)/x.png"])
      #expect(outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
      #expect(outcome.errors.contains(name), "\(outcome.errors)")
    }
  }
}
