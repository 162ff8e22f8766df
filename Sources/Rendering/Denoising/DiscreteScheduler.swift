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

public enum DiscreteSchedulers {
  private static let makers: [(name: String, make: @Sendable (PartConfiguration) throws -> any DiscreteScheduler)] = [
    ("DDIMScheduler", { try DDIM($0) }), ("DDPMScheduler", { try DDPM($0) }),
    ("DPMSolverMultistepScheduler", { try DPMSolver($0) }),
  ]

  /// The scheduler of a `scheduler_config.json`.
  ///
  /// - Throws: `FileError` for a class or a setting that is not supported.
  public static func open(_ configuration: PartConfiguration) throws -> any DiscreteScheduler {
    let name = try configuration.string("_class_name")
    guard let maker = makers.first(where: { $0.name == name }) else {
      throw configuration.error(
        "_class_name",
        "is \(name.printable(limit: 60)), which is not supported; known are "
          + makers.map(\.name).joined(separator: ", "))
    }
    return try maker.make(configuration)
  }
}
