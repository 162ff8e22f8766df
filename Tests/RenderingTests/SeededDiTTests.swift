import FeatureCaching
import Foundation
import StrictJSON
import Tensors
import Testing
import Transformers

@testable import Rendering

/// Runs from a seed: elements 0, 1, 143 and 575 of the latents after each step, as `DiTPipeline` of diffusers 0.36 has
/// them with `torch.manual_seed(7)` as its generator, class 1 and 6 steps.
@Suite struct SeededDiTTests {
  static let folder =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
    + "/Fixtures/reference/checkpoints/dit-tiny-mild"

  struct Recording: Sendable, CustomTestStringConvertible {
    var scheduler: SchedulerChoice
    var variance: String?
    var guidance = 4.0
    var timesteps: [Float]
    var latents: [[Float]]
    var testDescription: String { "\(scheduler) \(variance ?? "") \(guidance)" }
  }

  static let recordings = [
    Recording(
      scheduler: .ddim, timesteps: [830, 664, 498, 332, 166, 0],
      latents: [
        [-2.0722477436065674, 1.2013959884643555, 1.92290198802948, -0.9420863389968872],
        [-2.6785922050476074, 1.778064250946045, 2.4366774559020996, -0.5582410097122192],
        [-3.1794869899749756, 2.268446922302246, 2.8324403762817383, -0.262373685836792],
        [-3.611226797103882, 2.5039455890655518, 3.0187430381774902, 0.054693520069122314],
        [-3.8128373622894287, 2.6998350620269775, 3.4094855785369873, 0.6583343148231506],
        [-3.819474220275879, 2.7091619968414307, 3.406660318374634, 0.6668556332588196],
      ]),
    Recording(
      scheduler: .dpmpp, timesteps: [852, 710, 568, 426, 284, 142],
      latents: [
        [-1.7940866947174072, 1.008034348487854, 1.7660295963287354, -0.8577045202255249],
        [-2.1306686401367188, 1.6219502687454224, 2.2982800006866455, -0.8340999484062195],
        [-2.1773695945739746, 1.949208378791809, 2.9319040775299072, -0.414882093667984],
        [-2.651721715927124, 2.2018351554870605, 2.9245059490203857, -0.30863088369369507],
        [-2.879918098449707, 2.5573360919952393, 3.091444253921509, 0.30005359649658203],
        [-3.010819911956787, 2.8163304328918457, 3.259491205215454, 0.7626063227653503],
      ]),
    Recording(
      scheduler: .ddpm, timesteps: [830, 664, 498, 332, 166, 0],
      latents: [
        [-3.5662691593170166, 2.126349449157715, 2.21864652633667, -0.5852351188659668],
        [-3.8748061656951904, 3.196284532546997, 2.725799083709717, -0.29152798652648926],
        [-4.452369689941406, 4.314972877502441, 3.1348509788513184, 0.022011011838912964],
        [-5.244417190551758, 4.681999206542969, 3.12157940864563, 0.35649409890174866],
        [-5.3376688957214355, 4.857536315917969, 3.548100709915161, 0.903540849685669],
        [-5.33929443359375, 4.863183498382568, 3.547947883605957, 0.9069251418113708],
      ]),
    Recording(
      scheduler: .ddpm, variance: "fixed_large", timesteps: [830, 664, 498, 332, 166, 0],
      latents: [
        [-3.6700119972229004, 2.1848859786987305, 2.207542896270752, -0.5740689635276794],
        [-3.848365068435669, 3.3030879497528076, 2.6934611797332764, -0.35814157128334045],
        [-4.406755447387695, 4.574832439422607, 3.092724084854126, -0.13858729600906372],
        [-5.459436416625977, 4.980723857879639, 2.893432140350342, 0.10746203362941742],
        [-5.086681365966797, 4.898155689239502, 3.170375108718872, 0.6895811557769775],
        [-5.087748050689697, 4.902761936187744, 3.169020891189575, 0.6919990181922913],
      ]),
    // Without guidance a step draws the noise of one row instead of two.
    Recording(
      scheduler: .ddpm, guidance: 1, timesteps: [830, 664, 498, 332, 166, 0],
      latents: [
        [-2.365527391433716, 1.2217614650726318, 1.2947992086410522, -1.7592663764953613],
        [-3.2241218090057373, 2.042123794555664, 1.7051538228988647, -2.3662760257720947],
        [-3.2975568771362305, 2.685918092727661, 1.7537211179733276, -3.082563877105713],
        [-3.6809873580932617, 3.0957095623016357, 1.9042434692382812, -3.2903127670288086],
        [-3.855928897857666, 3.2236979007720947, 1.7933027744293213, -3.5317280292510986],
        [-3.8615007400512695, 3.231720209121704, 1.7826783657073975, -3.540517807006836],
      ]),
  ]

  private func model(_ recording: Recording) throws -> DiTModel {
    let folder = FileManager.default.temporaryDirectory.appending(path: "clusca-dit-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: URL(filePath: Self.folder), to: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "scheduler/scheduler_config.json")
    var settings = try #require(try JSONValue(parsing: [UInt8](Data(contentsOf: file))).object)
    if let variance = recording.variance { settings["variance_type"] = .string(variance) }
    try Data(JSONValue.object(settings).text().utf8).write(to: file)
    var checkpoint = try DiTCheckpoint(folder: folder.path(percentEncoded: false))
    try checkpoint.use(recording.scheduler)
    return DiTModel(checkpoint)
  }

  private func request(_ model: DiTModel, guidance: Double, channels: GuidedChannels = .all) -> RenderRequest {
    var cache = model.cachePreset
    cache.method = .none
    return RenderRequest(
      subject: .label(1), negative: .label(nil), width: model.defaults.width, height: model.defaults.height, steps: 6,
      guidance: 0, cfgScale: guidance, guidedChannels: channels, seed: 7, textTokens: 0, cache: cache)
  }

  @Test(arguments: recordings) func everyStepIsThatOfDiffusers(recording: Recording) async throws {
    let model = try model(recording)
    let request = request(model, guidance: recording.guidance)
    let session = try await RenderSession(model, [request], precision: .float32)
    var seen = 0
    for try await step in session.run(request).steps {
      #expect(step.timestep == recording.timesteps[step.index])
      let latents = LatentPacking.unpack(step.latents, rows: 6, columns: 6)
      for (place, expected) in zip([0, 1, 143, 575], recording.latents[step.index]) {
        #expect(abs(latents[place] - expected) <= 3e-5 * max(1, abs(expected)), "step \(step.index), \(place)")
      }
      seen += 1
    }
    #expect(seen == 6)
  }

  @Test func guidanceOfThreeChannelsLeavesTheFourthAlone() async throws {
    let model = try model(Self.recordings[0])
    func firstStep(_ guidance: Double, _ channels: GuidedChannels) async throws -> [Tensor] {
      let request = request(model, guidance: guidance, channels: channels)
      let session = try await RenderSession(model, [request], precision: .float32)
      var steps = session.run(request).steps.makeAsyncIterator()
      let step = try #require(try await steps.next())
      let latents = LatentPacking.unpack(step.guided, rows: 6, columns: 6).reshaped([4, 144])
      return (0..<4).map { latents.rows($0..<$0 + 1) }
    }
    let all = try await firstStep(4, .all)
    let three = try await firstStep(4, .three)
    let none = try await firstStep(1, .three)
    #expect(Array(three[..<3]) == Array(all[..<3]))
    #expect(three[3] == none[3] && three[3] != all[3])
  }

  @Test func theMemoryIsEstimatedFromTheParts() throws {
    let model = try model(Self.recordings[0])
    let estimate = MemoryEstimate(model, [request(model, guidance: 4)], precision: .float32)
    #expect(estimate.textEncoders == 0 && estimate.prompts == 0 && estimate.cache == 0)
    let transformer = try model.loadTransformer(.float32, blocks: nil)
    #expect(estimate.transformer >= transformer.weightBytes && estimate.decoder > 0)
    #expect(estimate.activations > 0 && estimate.decoding > 0)
  }
}
