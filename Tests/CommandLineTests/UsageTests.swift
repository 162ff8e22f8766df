import Testing

@testable import clusca

struct UsageTests {
  @Test func versionAndHelpAreResultsAndNoErrors() throws {
    let version = try Program.run("--version")
    #expect(version.status == 0)
    #expect(version.output == Version.current + "\n")
    #expect(version.errors.isEmpty)

    let help = try Program.run("--help")
    #expect(help.status == 0)
    #expect(help.errors.isEmpty)
    for status in ExitStatus.allCases { #expect(help.output.contains("\(status.rawValue)  \(status.meaning)")) }
  }

  @Test(arguments: [
    ["--nonsense"], ["nonsense"], ["inspect"], ["inspect", "a", "b"], ["compare", "a"], ["completions", "tcsh"],
    ["compare", "a", "b", "--min-psnr", "nan"], ["compare", "a", "b", "--amplify", "0"],
    ["compare", "a", "b", "--steps", "3"], ["compare", "a", "b", "--model", "c"], ["doctor", "--json=1"],
  ])
  func wrongUsageIsOneSentenceAndStatus2(arguments: [String]) throws {
    let outcome = try Program.run(arguments)
    #expect(outcome.status == ExitStatus.usage.rawValue)
    #expect(outcome.hasOneSentence, "\(outcome.errors)")
    #expect(outcome.errors.contains("--help"))
    #expect(outcome.output.isEmpty)
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionsNameTheCommands(shell: String) throws {
    let outcome = try Program.run("completions", shell)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("inspect"))
  }

  @Test func aFullDiskBehindTheOutputIsAnError() throws {
    let outcome = try Program.runShell("\"$0\" doctor > /dev/full")
    #expect(outcome.status == ExitStatus.output.rawValue)
    #expect(outcome.hasOneSentence, "\(outcome.errors)")
  }

  @Test func errorsOfSeveralLinesBecomeOne() {
    let report = ErrorReport(CommandFailure(.input, "first:\n  second\n\u{1B}[31mthird"))
    #expect(report.sentence == #"first: second; \u{1b}[31mthird."#)
    #expect(report.status == .input)
  }

  @Test func anUnknownErrorHasStatus1() {
    struct Odd: Error, CustomStringConvertible { let description = "odd" }
    let report = ErrorReport(Odd())
    #expect(report.status == .failure)
    #expect(report.sentence == "odd.")
  }

  @Test func statusesFollowShells() {
    #expect(ExitStatus(signal: 2) == .interrupted)
    #expect(ExitStatus(signal: 15) == .terminated)
    #expect(ExitStatus(signal: 1) == .hungUp)
  }
}
