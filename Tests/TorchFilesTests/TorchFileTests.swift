import Files
import Foundation
import Tensors
import Testing
import TorchFiles

/// Files that torch 2.13 wrote.
@Suite struct TorchFileTests {
  static let fixtures =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures/torch"

  private func tensors(_ name: String) throws -> [String: StoredTensor] {
    let file = try TorchFile(path: "\(Self.fixtures)/\(name)")
    return Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) })
  }

  @Test func aDictionaryOfStateIsRead() throws {
    let tensors = try tensors("linear.pt")
    #expect(Set(tensors.keys) == ["weight", "bias"])
    #expect(tensors["weight"]?.shape == [2, 3] && tensors["bias"]?.shape == [2])
    #expect(try tensors["weight"]?.float32Values().allSatisfy { abs($0) < 0.6 && $0 != 0 } == true)
  }

  @Test(arguments: ["checkpoint.pt", "protocol4.pt"])
  func aCheckpointOfTrainingIsReadWithItsTypesAndViews(name: String) throws {
    let tensors = try tensors(name)
    let base = (0..<24).map(Float.init)
    #expect(try tensors["model.a"]?.float32Values() == base && tensors["model.tied"]?.float32Values() == base)
    #expect(try tensors["model.view"]?.float32Values() == [4, 5, 8, 9, 16, 17, 20, 21])
    let transposed = (0..<4).flatMap { k in (0..<6).map { Float(4 * $0 + k) } }
    #expect(tensors["model.transposed"]?.shape == [4, 2, 3])
    #expect(try tensors["model.transposed"]?.float32Values() == transposed)
    #expect(try tensors["model.scalar"]?.float32Values() == [7.5] && tensors["model.scalar"]?.shape == [])
    #expect(tensors["model.empty"]?.shape == [0, 4])
    let types: [(String, DType)] = [
      ("half", .float16), ("bf16", .bfloat16), ("double", .float64), ("long", .int64), ("int", .int32),
      ("short", .int16), ("char", .int8), ("byte", .uint8), ("bool", .bool),
    ]
    for (name, type) in types { #expect(tensors["ema.\(name)"]?.dtype == type, "\(name)") }
    #expect(try tensors["ema.half"]?.float32Values() == [1.5, -2])
    #expect(try tensors["ema.long"]?.int64Values() == [1, -1 << 40])
    #expect(try tensors["opt.state.300.exp_avg"]?.float32Values() == [0])
    #expect(tensors.count == 17)
    #expect(try TorchFile(path: "\(Self.fixtures)/\(name)").otherValues == 13)
  }

  @Test(arguments: [
    ("hostile.pt", "posix.system"), ("module.pt", "torch.nn.modules.linear.Linear"), ("old-format.pt", "1.6"),
  ])
  func whatIsNoListOfTensorsIsRefusedWithTheReason(name: String, reason: String) throws {
    let error = #expect(throws: FileError.self) { try TorchFile(path: "\(Self.fixtures)/\(name)") }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    #expect(!FileManager.default.fileExists(atPath: "/tmp/clusca-was-run"))
  }
}
