import Tensors

/// A scheduler of models that were trained with discrete timesteps.
public protocol DiscreteScheduler: Sendable {
  associatedtype Schedule: DenoisingSchedule
  /// Its name in other programs, such as "DDIM".
  var sampler: String { get }
  /// The most steps of a run.
  var maximumSteps: Int { get }
  /// - Parameter steps: 1...``maximumSteps``
  func schedule(steps: Int) -> Schedule
}

/// The schedulers that there are, by the names that the command line has for them.
public enum SchedulerChoice: String, Sendable, Hashable, CaseIterable {
  case ddim
  case ddpm
  case dpmpp

  /// In diffusers.
  var className: String {
    switch self {
    case .ddim: "DDIMScheduler"
    case .ddpm: "DDPMScheduler"
    case .dpmpp: "DPMSolverMultistepScheduler"
    }
  }

  /// The choice that a `scheduler_config.json` makes.
  ///
  /// - Throws: `FileError` for a class that is not known.
  public init(_ configuration: PartConfiguration) throws {
    let name = try configuration.string("_class_name")
    guard let choice = Self.allCases.first(where: { $0.className == name }) else {
      throw configuration.error(
        "_class_name",
        "is \(name.printable(limit: 60)), which is not supported; known are "
          + Self.allCases.map(\.className).joined(separator: ", "))
    }
    self = choice
  }

  /// The scheduler with the settings of a `scheduler_config.json`, whichever it was written for, as `from_config` of
  /// diffusers has it.
  ///
  /// - Throws: `FileError` for a setting that is not supported.
  public func scheduler(_ configuration: PartConfiguration) throws -> any DiscreteScheduler {
    switch self {
    case .ddim: try DDIM(configuration)
    case .ddpm: try DDPM(configuration)
    case .dpmpp: try DPMSolver(configuration)
    }
  }
}
