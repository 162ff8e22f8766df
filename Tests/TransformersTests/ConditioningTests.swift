import Tensors
import Testing

@testable import Transformers

@Suite struct ConditioningTests {
  private static let precisions: [Precision] = [.float32, .bfloat16, .int8]

  /// Together they are more rows than a product in float32 has one order of additions for.
  @Test(arguments: precisions)
  func samplesThatBeginTogetherHaveTheConditioningOfEachAlone(precision: Precision) throws {
    let tiny = try TinyDiT(precision: precision)
    let model = try DiTTransformer(tiny.configuration, tiny.parameters)
    let timesteps = (0..<50).map { 980 - 20 * Float($0) }
    func sample(_ label: Int?) throws -> any TransformerSample {
      try model.makeSample(tiny.inputs(label), timesteps: timesteps)
    }
    let alone = try sample(3)
    _ = alone.conditioning(timestep: timesteps[0], probe: nil)
    let (third, none, otherRun) = (try sample(3), try sample(nil), try model.makeSample(tiny.inputs(3), timesteps: [7]))
    for timestep in timesteps {
      let expected = alone.conditioning(timestep: timestep, probe: nil)
      let together = third.conditioning(timestep: timestep, probe: nil)
      let other = none.conditioning(timestep: timestep, probe: nil)
      #expect(expected.modulated.count == tiny.configuration.blockCount + 1)
      #expect(together.modulated == expected.modulated)
      #expect(Set(other.modulated.keys) == Set(expected.modulated.keys) && other.modulated != expected.modulated)
    }
    let single = try model.makeSample(tiny.inputs(3), timesteps: [7]).conditioning(timestep: 7, probe: nil)
    #expect(otherRun.conditioning(timestep: 7, probe: nil).modulated == single.modulated)
  }
}
