import ArgumentParser

/// How often the workers of a cluster may hold a model.
struct ReplicaOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How many pipelines may stand side by side, each with all blocks of the model; 1 cuts it among all workers. As many as "
        + "make pictures faster by a twentieth or more unless given.", valueName: "count"))
  var replicas: Int?

  var most: Int { replicas ?? .max }

  func validate() throws {
    if let replicas, replicas < 1 { throw ValidationError("--replicas \(replicas) is less than 1") }
  }
}
