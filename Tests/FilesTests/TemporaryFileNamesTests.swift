import Foundation
import Testing

@testable import Files

struct TemporaryFileNamesTests {
  @Test func filesThatAreKnownAreRemovedAndNoneIsMadeAfterwards() throws {
    let folder = try TemporaryFolder()
    let names = TemporaryFileNames()
    func make(_ name: String) throws -> Int32 {
      let path = "\(folder.path)/\(name)"
      return try names.creating(path) { open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600) }
    }
    for name in ["a", "b"] { close(try make(name)) }
    #expect(try make("a") == -1)
    names.forget("\(folder.path)/b")
    names.removeAll()
    #expect(folder.names == ["b"])
    #expect(throws: FileFailure.self) { try make("c") }
    #expect(folder.names == ["b"])
  }
}
