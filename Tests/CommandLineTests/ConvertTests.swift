import Foundation
import Tensors
import Testing

@testable import clusca

struct ConvertTests {
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/torch").path(percentEncoded: false)

  @Test func aFileOfTorchBecomesSafetensors() throws {
    let folder = try TemporaryFolder()
    let output = "\(folder.path)/x.safetensors"
    let outcome = try Program.run("convert", "\(Self.fixtures)/checkpoint.pt", output)
    #expect(outcome.status == 0 && outcome.output == output + "\n", "\(outcome.errors)")
    #expect(outcome.errors.contains("17 tensors") && outcome.errors.contains("13 values"))
    let whole = try TensorStore(file: output)
    #expect(whole.names.count == 17 && whole["model.transposed"]?.shape == [4, 2, 3])

    let taken = try Program.run("convert", "\(Self.fixtures)/checkpoint.pt", output, "--part", "ema")
    #expect(taken.status == ExitStatus.output.rawValue && taken.hasOneSentence && taken.errors.contains("--force"))
    let forced = try Program.run(
      "convert", "\(Self.fixtures)/checkpoint.pt", output, "--part", "ema", "--force", "--quiet")
    #expect(forced.status == 0 && forced.errors.isEmpty, "\(forced.errors)")
    #expect(try TensorStore(file: output).names.sorted().first == "bf16")
  }

  @Test func whatCannotBeConvertedIsOneSentence() throws {
    let folder = try TemporaryFolder()
    let output = "\(folder.path)/x.safetensors"
    for (arguments, status, part) in [
      (["\(Self.fixtures)/hostile.pt", output], ExitStatus.input, "posix.system"),
      (["\(Self.fixtures)/module.pt", output], .input, "Linear"),
      (["\(Self.fixtures)/old-format.pt", output], .input, "1.6"),
      (["/nowhere/x.pt", output], .input, "/nowhere/x.pt"), (["/dev/zero", output], .input, "/dev/zero"),
      ([folder.path, output], .input, folder.path), ([#filePath, output], .input, "torch.save"),
      (["\(Self.fixtures)/linear.pt", "\(folder.path)/x.pt"], .usage, ".safetensors"),
      (["\(Self.fixtures)/linear.pt", "/nowhere/x.safetensors"], .output, "/nowhere"),
      (["\(Self.fixtures)/linear.pt", output, "--part", "ema"], .usage, "weight"), (["a.pt"], .usage, "output"),
    ] {
      let outcome = try Program.run(["convert"] + arguments)
      #expect(outcome.status == status.rawValue && outcome.hasOneSentence, "\(arguments): \(outcome.errors)")
      #expect(outcome.errors.contains(part), "\(arguments): \(outcome.errors)")
    }
    #expect(folder.names.isEmpty)
  }
}
