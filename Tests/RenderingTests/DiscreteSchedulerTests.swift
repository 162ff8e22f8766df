import Files
import Rendering
import StrictJSON
import Tensors
import Testing

/// Which scheduler a `scheduler_config.json` means.
@Suite struct DiscreteSchedulerTests {
  private func open(_ members: (String, JSONValue)...) throws -> any DiscreteScheduler {
    var object = JSONObject()
    object["clip_sample"] = false
    for (key, value) in members { object[key] = value }
    let configuration = try PartConfiguration(path: "scheduler_config.json", json: .object(object))
    return try SchedulerChoice(configuration).scheduler(configuration)
  }

  @Test func theClassChooses() throws {
    let names = ["DDIMScheduler", "DDPMScheduler", "DPMSolverMultistepScheduler"]
    let schedulers = try names.map { try open(("_class_name", .string($0))) }
    #expect(schedulers.map(\.sampler) == ["DDIM", "DDPM", "DPM++ 2M"])
    #expect(schedulers.map(\.maximumSteps) == [1000, 1000, 999])
    for scheduler in schedulers {
      let schedule = scheduler.schedule(steps: scheduler.maximumSteps)
      let timesteps = (0..<schedule.steps).map(schedule.timestep)
      #expect(timesteps.first == 999 && zip(timesteps, timesteps.dropFirst()).allSatisfy { $0 > $1 })
    }
  }

  @Test(
    arguments: [
      ("_class_name", "PNDMScheduler"), ("_class_name", .null), ("_class_name", 7), ("variance_type", "learned_range"),
      ("variance_type", "fixed_large_log"), ("clip_sample", true), ("prediction_type", "sample"),
      ("beta_schedule", "sigmoid"), ("timestep_spacing", "uneven"), ("steps_offset", -1),
      ("beta_start", 0), ("beta_end", 1e-5), ("beta_end", 0.9), ("beta_end", 1),
    ] as [(String, JSONValue)])
  func whatIsNotBuiltIsOneSentence(key: String, value: JSONValue) throws {
    let error = #expect(throws: FileError.self) { try open(("_class_name", "DDPMScheduler"), (key, value)) }
    #expect(error?.description.contains("\"\(key)\"") == true, "\(String(describing: error))")
    #expect(error?.description.contains("scheduler_config.json") == true)
  }
}
