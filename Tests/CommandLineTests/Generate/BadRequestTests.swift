import Foundation
import Testing

@testable import clusca

struct BadRequestTests {
  private func refuse(
    _ arguments: [String], _ status: Status, naming part: String, input: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let folder = try TemporaryFolder()
    let outcome = try Program.run(
      ["generate", "-m", TinyModels.dev, "-o", "\(folder.path)/x.png"] + arguments, input: input)
    let shown = arguments.joined(separator: " ").prefix(100)
    #expect(outcome.status == status.rawValue, "\(shown): \(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.hasOneSentence, "\(shown): \(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.errors.contains(part), "\(shown): \(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.errors.utf8.count < 1000, sourceLocation: sourceLocation)
    #expect(folder.names.isEmpty, sourceLocation: sourceLocation)
  }

  @Test(arguments: [
    (["-W", "0"], "--width"), (["-H", "-16"], "-16"), (["--height=-16"], "--height"), (["-W", "16385"], "16384"),
    (["-W", "99999999999999999999"], "99999999999999999999"), (["--size", "0x16"], "--width"),
    (["--size", "16"], "16"),
    (["--size", "16x16", "-W", "16"], "--size"), (["-W", "15"], "15"), (["--size", "axb"], "axb"),
    (["--steps", "0"], "--steps"), (["--steps", "10001"], "10000"), (["--steps", "1.5"], "1.5"),
    (["--steps=-3"], "--steps"), (["--guidance", "nan"], "--guidance"), (["--guidance", "inf"], "--guidance"),
    (["--guidance=-1"], "--guidance"), (["--guidance", "1e300"], "--guidance"),
    (["--cfg-scale", "nan"], "--cfg-scale"),
    (["--cfg-scale=-inf"], "--cfg-scale"), (["--seed", "-2"], "-2"), (["--seed", "1e3"], "1e3"),
    (["--seed", "9223372036854775808"], "9223372036854775808"), (["-b", "0"], "--batch-count"),
    (["-t", "0"], "--threads"), (["-t", "1000000"], "--threads"),
    (["--max-sequence-length", "0"], "--max-sequence-length"),
    (["--max-sequence-length", "5000"], "4096"), (["--preview-interval", "0"], "--preview-interval"),
    (["--dtype", "int4"], "--dtype"), (["--noise-dtype", "f8"], "--noise-dtype"), (["--noise-compat", "jax"], "jax"),
    (["--vae-tiling", "maybe"], "maybe"), (["--colour", "red"], "--colour"), (["extra"], "extra"),
    (["--output"], "output"),
    (["-o", "%x.png"], "%x"), (["-o", "a%"], "%"), (["-o", ""], "empty"), (["-o", "folder/"], "folder"),
    (["--unconditional"], "exclude"), (["--prompts-file", "/nowhere/x.txt"], "exclude"),
    (
      [
        "-b", "100000", "-s", "1", "-s", "2", "-s", "3", "-s", "4", "-s", "5", "-s", "6", "-s", "7", "-s", "8", "-s",
        "9",
        "-s", "10", "-s", "11",
      ], "1000000"
    ),
  ])
  func wrongOptionsAreOneSentence(arguments: [String], part: String) throws {
    try refuse(["-p", "a"] + arguments, .usage, naming: part)
  }

  @Test(arguments: [
    ([], "prompt"), (["-p", ""], "empty"), (["-p", " \u{3000}\n"], "empty"),
    (["--unconditional", "-p", "a"], "exclude"),
    (["--prompts-file", "x.txt", "--prompt-2", "a"], "--prompt-2"), (["-p", "a", "-n"], "Missing value"),
  ])
  func apictureNeedsExactlyOnePrompt(arguments: [String], part: String) throws {
    try refuse(arguments, .usage, naming: part)
  }

  @Test func aPromptOf100kBIsRefused() throws {
    let long = String(repeating: "cat ", count: 25_000)
    try refuse(["-p", long], .usage, naming: "100000")
    try refuse(["-p", "a", "-n", long], .usage, naming: "--negative-prompt")
    try refuse(["-p", "a", "--prompt-2", long], .usage, naming: "--prompt-2")
    try refuse(["-p", "-"], .input, naming: "standard input", input: long)
    try refuse(["--prompts-file", "-"], .input, naming: "standard input", input: long)
    try refuse(["-p", "-"], .usage, naming: "empty", input: "\n")
    try refuse(["-p", "-"], .usage, naming: "zero byte", input: "a\0b")
    try refuse(["--from", "/nowhere/x.png"], .input, naming: "/nowhere/x.png")
  }

  @Test func bytesThatAreNoUTF8AreRefused() throws {
    // The shell's printf makes the bytes.
    for (line, number) in [
      ("generate -p \"$(printf 'caf\\351')\" -m \"$1\" -o /nowhere/x.png", "number 3"),
      ("generate -p a -m \"$1\" -o \"/nowhere/$(printf '\\377').png\"", "number 7"),
      ("inspect \"$(printf '\\300\\257')\"", "number 2"), ("\"$(printf '\\355\\240\\200')\"", "number 1"),
    ] {
      let outcome = try Program.runShell("\"$0\" \(line)", TinyModels.dev)
      #expect(outcome.status == ExitStatus.usage.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
      #expect(outcome.errors.contains(number) && outcome.errors.contains("UTF-8"), "\(outcome.errors)")
    }
    for option in ["-p", "--prompts-file"] {
      let line = "printf 'a\\nb\\351\\n' | \"$0\" generate -m \"$1\" \(option) - -o /nowhere/x.png"
      let outcome = try Program.runShell(line, TinyModels.dev)
      #expect(outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
      #expect(outcome.errors.contains("standard input") && outcome.errors.contains("UTF-8"), "\(outcome.errors)")
    }
  }

  @Test func whatDoesNotFitIntoTheMemoryIsRefusedWithNumbers() throws {
    // With a guiding sample, all orders and no tiles this is far more than 100 GB even for the smallest model.
    guard let memory = Memory.available, memory < 90 << 30 else { return }
    let arguments = [
      "-p", "a", "--size", "16384x16384", "--vae-tiling", "off", "--cfg-scale", "2", "--cache-option", "max_order=8",
    ]
    try refuse(arguments, .memory, naming: "feature cache")
    let outcome = try Program.run(["generate", "-m", TinyModels.dev, "-o", "/tmp/x.png"] + arguments)
    #expect(outcome.errors.matches(of: /\d+(\.\d+)? [GT]B/).count >= 3, "\(outcome.errors)")
  }
}
