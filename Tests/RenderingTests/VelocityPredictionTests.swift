import Files
import Rendering
import StrictJSON
import Tensors
import Testing

/// Two elements of latents, step after step, as the schedulers of diffusers 0.36 lead them with
/// `prediction_type="v_prediction"`, where the model gives these numbers.
@Suite struct VelocityPredictionTests {
  private static let start: [Float] = [-0.8646355867385864, 0.2989608347415924]
  private static let predicted: [[Float]] = [
    [0.8032760620117188, 0.17483338713645935], [0.08897809684276581, -0.6137180328369141],
    [0.04618244990706444, -1.3682591915130615], [0.3374950885772705, 1.0111159086227417],
    [-1.435179352760315, 0.9774317741394043], [0.5220499634742737, 1.2379167079925537],
  ]

  private func configuration() throws -> PartConfiguration {
    var object = JSONObject()
    object["clip_sample"] = false
    object["timestep_spacing"] = "leading"
    object["prediction_type"] = "v_prediction"
    return try PartConfiguration(path: "scheduler_config.json", json: .object(object))
  }

  private func expectNear(_ latents: Tensor, _ expected: [Float], step: Int) {
    for (value, reference) in zip(latents.elements, expected) {
      #expect(abs(value - reference) <= 2e-6 * max(1, abs(reference)), "step \(step): \(value) for \(reference)")
    }
  }

  @Test func everyStepOfDDIMIsTheRecordedOne() throws {
    let expected: [[Float]] = [
      [-0.9232015609741211, 0.2848041355609894], [-0.924278199672699, 0.3896310329437256],
      [-0.8927474021911621, 0.7961211204528809], [-0.9514380693435669, 0.2891317307949066],
      [-0.11548030376434326, -0.23306851089000702], [-0.12069546431303024, -0.24543705582618713],
    ]
    let schedule = try DDIM(configuration()).schedule(steps: expected.count)
    var latents = Tensor(Self.start, shape: [2])
    for step in expected.indices {
      _ = schedule.advance(&latents, predicted: Tensor(Self.predicted[step], shape: [2]), step: step)
      expectNear(latents, expected[step], step: step)
    }
  }

  @Test func everyStepOfDPMSolverIsTheRecordedOne() throws {
    let expected: [[Float]] = [
      [-0.9052929878234863, 0.2894507944583893], [-0.8770574927330017, 0.3982081115245819],
      [-0.8722572922706604, 0.7463445067405701], [-1.0009211301803589, 0.08520093560218811],
      [-0.045284003019332886, -0.31122836470603943], [-0.2710908055305481, -0.8257373571395874],
    ]
    var run = DPMSolverRun(try DPMSolver(configuration()).schedule(steps: expected.count))
    var latents = Tensor(Self.start, shape: [2])
    for step in expected.indices {
      run.advance(&latents, predicted: Tensor(Self.predicted[step], shape: [2]))
      expectNear(latents, expected[step], step: step)
    }
  }

  /// The noise that DDPM adds is tested elsewhere; what it takes for the picture depends on the prediction.
  @Test func thePictureThatDDPMSeesIsTheRecordedOne() throws {
    let steps: [(latents: [Float], picture: [Float])] = [
      ([-0.8646355867385864, 0.2989608347415924], [-0.8291252255439758, -0.16568753123283386]),
      ([-0.7893320322036743, -0.5074104070663452], [-0.17232105135917664, 0.5563463568687439]),
      ([-0.7542738318443298, -0.5817787051200867], [-0.25682973861694336, 1.1489098072052002]),
      ([-0.7584483623504639, -0.13153356313705444], [-0.7077138423919678, -0.9078041315078735]),
      ([-0.9237256050109863, -0.9689823389053345], [-0.07435852289199829, -1.3295676708221436]),
      ([-0.0795145109295845, -1.3354780673980713], [-0.08473146706819534, -1.3477915525436401]),
    ]
    let still = SamplerNoise(TorchGenerator(seed: 0)) { _ in Tensor([0, 0], shape: [2]) }
    var run = try DDPM(configuration()).schedule(steps: steps.count).start(noise: still)
    for (index, step) in steps.enumerated() {
      var latents = Tensor(step.latents, shape: [2])
      expectNear(run.advance(&latents, predicted: Tensor(Self.predicted[index], shape: [2])), step.picture, step: index)
    }
  }
}
