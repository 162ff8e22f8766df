import Files
import Rendering
import StrictJSON
import Tensors
import Testing

/// Two elements of latents, step after step, as diffusers 0.36 recorded them with a model of random weights.
@Suite struct SchedulerStepTests {
  private typealias Step = (predicted: [Float], latents: [Float])

  private static func configuration(_ members: (String, JSONValue)...) throws -> PartConfiguration {
    var object = JSONObject()
    object["clip_sample"] = false
    object["timestep_spacing"] = "leading"
    for (key, value) in members { object[key] = value }
    return try PartConfiguration(path: "scheduler_config.json", json: .object(object))
  }

  private func expectNear(_ latents: Tensor, _ expected: [Float], step: Int) {
    for (value, reference) in zip(latents.elements, expected) {
      #expect(abs(value - reference) <= 2e-6 * max(1, abs(reference)), "step \(step): \(value) for \(reference)")
    }
  }

  @Test func everyStepOfDDIMIsTheRecordedOne() throws {
    let steps: [Step] = [
      ([5.767236709594727, 1.1852846145629883], [-22.70440673828125, -4.7933349609375]),
      ([0.6200544834136963, 1.1834828853607178], [-59.89196014404297, -14.53304386138916]),
      ([-0.08075535297393799, 0.34625244140625], [-82.86109161376953, -20.45342254638672]),
      ([-0.5915813446044922, -0.2260279655456543], [-82.85932159423828, -20.452184677124023]),
    ]
    let schedule = try DDIM(Self.configuration()).schedule(steps: steps.count)
    #expect(schedule.timesteps == [750, 500, 250, 0])
    var latents = Tensor([-0.05922192707657814, -0.03835263475775719], shape: [2])
    for (index, step) in steps.enumerated() {
      let denoised = schedule.advance(&latents, predicted: Tensor(step.predicted, shape: [2]), step: index)
      expectNear(latents, step.latents, step: index)
      // Behind the last step nothing but the picture is left.
      if index == steps.count - 1 { #expect(denoised == latents) }
      latents = Tensor(step.latents, shape: [2])
    }
  }

  @Test func everyStepOfDPMSolverIsTheRecordedOne() throws {
    let steps: [Step] = [
      ([5.311371326446533, 3.7552268505096436], [-4.544807434082031, -2.0545597076416016]),
      ([2.3768324851989746, -0.4494936466217041], [-10.185025215148926, -1.7701777219772339]),
      ([1.6709920167922974, -0.08911442756652832], [-19.47719955444336, -2.611241102218628]),
      ([2.889244556427002, 1.5186777114868164], [-35.37504577636719, -5.85371732711792]),
      ([3.158350944519043, 2.08556866645813], [-57.51655197143555, -10.666730880737305]),
      ([1.877187967300415, 1.4581449031829834], [-83.8899917602539, -16.071165084838867]),
      ([3.1470890045166016, 2.2659854888916016], [-113.4237060546875, -22.529582977294922]),
      ([2.6431498527526855, 1.873354434967041], [-140.42422485351562, -28.345521926879883]),
      ([2.598087787628174, 1.341811180114746], [-160.09683227539062, -32.44444274902344]),
      ([2.794172763824463, 1.7211840152740479], [-168.3879852294922, -34.48060989379883]),
    ]
    var run = DPMSolverRun(try DPMSolver(Self.configuration()).schedule(steps: steps.count))
    #expect(run.schedule.timesteps == [900, 810, 720, 630, 540, 450, 360, 270, 180, 90])
    var latents = Tensor([0.7853156328201294, 1.0874141454696655], shape: [2])
    for (index, step) in steps.enumerated() {
      run.advance(&latents, predicted: Tensor(step.predicted, shape: [2]))
      expectNear(latents, step.latents, step: index)
      latents = Tensor(step.latents, shape: [2])
    }
    #expect(run.step == 10)
  }

  @Test func optionsThatAreNotBuiltAreRefused() throws {
    for (key, value) in [
      ("prediction_type", "sample"), ("beta_schedule", "squaredcos_cap_v2"), ("thresholding", true),
      ("timestep_spacing", "uneven"), ("trained_betas", [0.1]), ("rescale_betas_zero_snr", true),
    ] as [(String, JSONValue)] {
      let configuration = try Self.configuration((key, value))
      #expect(throws: FileError.self, "\(key)") { try DDIM(configuration) }
      #expect(throws: FileError.self, "\(key)") { try DPMSolver(configuration) }
    }
    let clipping = try Self.configuration(("clip_sample", true))
    #expect(throws: FileError.self) { try DDIM(clipping) }
    let thirdOrder = try Self.configuration(("solver_order", 3))
    #expect(throws: FileError.self) { try DPMSolver(thirdOrder) }
    let limited = try Self.configuration(("lambda_min_clipped", -5.1))
    #expect(throws: FileError.self) { try DPMSolver(limited) }
  }

  @Test func everySpacingEndsWhereDiffusersEndsIt() throws {
    for (spacing, ddim, dpm) in [
      ("leading", [500, 0], [666, 333]), ("trailing", [999, 499], [999, 499]), ("linspace", [999, 0], [999, 500]),
    ] {
      let configuration = try Self.configuration(("timestep_spacing", .string(spacing)))
      #expect(try DDIM(configuration).schedule(steps: 2).timesteps == ddim)
      #expect(try DPMSolver(configuration).schedule(steps: 2).timesteps == dpm)
    }
  }
}
