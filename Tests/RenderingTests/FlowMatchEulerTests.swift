import Files
import Rendering
import StrictJSON
import Tensors
import Testing

/// Noise levels of numbers that are far from those of the released models.
@Suite struct FlowMatchEulerTests {
  private func open(_ members: (String, JSONValue)...) throws -> FlowMatchEuler {
    var object = JSONObject()
    object["_class_name"] = "FlowMatchEulerDiscreteScheduler"
    for (key, value) in members { object[key] = value }
    return try FlowMatchEuler(PartConfiguration(path: "scheduler_config.json", json: .object(object)))
  }

  private func expectLevels(_ euler: FlowMatchEuler, imageTokens: Int) {
    let sigmas = euler.schedule(steps: 20, imageTokens: imageTokens).sigmas
    #expect(sigmas.allSatisfy { (0...1.001).contains($0) }, "\(sigmas)")
    #expect(zip(sigmas, sigmas.dropFirst()).allSatisfy { $0 >= $1 }, "\(sigmas)")
  }

  @Test func levelsFallFromOneToZeroHoweverFarTheShiftIsExtended() throws {
    for (base, maximum) in [(0.5, 1.15), (-20, 20), (20, -20)] as [(Double, Double)] {
      let euler = try open(
        ("use_dynamic_shifting", true), ("base_shift", .number(base)), ("max_shift", .number(maximum)),
        ("base_image_seq_len", 256), ("max_image_seq_len", 257))
      for tokens in [1, 256, 4096, 1 << 24] { expectLevels(euler, imageTokens: tokens) }
    }
    for shift in [0.001, 1, 1000] { expectLevels(try open(("shift", .number(shift))), imageTokens: 256) }
  }

  @Test func shiftsBeyondAllUseAreRefused() throws {
    for (key, value) in [("max_shift", 1715), ("base_shift", -21), ("max_shift", "1.15")] as [(String, JSONValue)] {
      let error = #expect(throws: FileError.self) { try open(("use_dynamic_shifting", true), (key, value)) }
      #expect(error?.description == "scheduler_config.json: \"\(key)\" is not a number in -20.0...20.0")
    }
    for value in [0, -1, 1e-300, 1e300] as [JSONValue] {
      #expect(throws: FileError.self) { try open(("shift", value)) }
    }
  }
}
