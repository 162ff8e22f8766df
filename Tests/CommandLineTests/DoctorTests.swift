import StrictJSON
import Testing

@testable import clusca

struct DoctorTests {
  @Test func theReportNamesVersionsAndMachine() throws {
    let text = try Program.run("doctor")
    #expect(text.status == 0 && text.errors.isEmpty)
    for word in ["clusca", "Swift", "libpng", "OpenBLAS", "CPU", "kernels", "memory", "MP4", "Hugging Face cache"] {
      #expect(text.output.contains(word))
    }
    let json = try JSONValue(parsing: try Program.run("doctor", "--json").output)
    #expect(json["versions"]?["clusca"]?.string == Version.current)
    #expect((json["memory"]?["available_bytes"]?.int ?? 0) > 0)
    #expect((json["threads"]?.int ?? 0) >= 1)
  }

  @Test func kernelsThatDoNotExistAreWarnedOf() throws {
    let outcome = try Program.run("doctor", environment: ["CLUSCA_ISA": "mmx"])
    #expect(outcome.output.contains("warning: CLUSCA_ISA is \"mmx\""))
    #expect(try Program.run("doctor", environment: ["CLUSCA_ISA": "generic"]).output.contains("any CPU"))
  }

  @Test func aBrokenModelOfTheCacheIsWarnedOf() throws {
    let folder = try TemporaryFolder()
    try folder.file("models--org--cut/blobs/x", "")
    let outcome = try Program.run("doctor", environment: ["HF_HUB_CACHE": folder.path])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("warning: org/cut:"))
  }

  @Test func withoutAHomeTheReportStillComes() throws {
    let outcome = try Program.runShell("env -i \"$0\" doctor")
    #expect(outcome.status == 0 && outcome.output.contains("set HF_HOME or HOME"))
  }
}
