import ArgumentParser
import Files
import Glibc
import Messaging
import RenderCluster
import Rendering
import Tensors

/// Workers that a command starts for itself.
struct WorkersOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Start so many worker processes on this machine and render with them: a cluster to try things with. --threads is "
        + "for each of them then.", valueName: "count"))
  var workers: Int?

  @Option(
    help: ArgumentHelp(
      "Write a Chrome trace of each worker's work to this file, to be seen with Perfetto.", valueName: "file"))
  var trace: String?

  func validate() throws {
    if let workers, !(1...64).contains(workers) {
      throw ValidationError("--workers \(workers) is not a number from 1 to 64")
    }
    guard trace == nil || workers != nil else { throw ValidationError("--trace goes with --workers") }
  }

  /// Calls `body` with the stages of workers that live as long as it does; with nil if none are wanted.
  func run(
    _ model: any RenderModel, _ modelName: String, _ options: ModelOptions, memory: Int?,
    _ body: (ClusterStages?) async throws -> Void
  ) async throws {
    guard let workers else { return try await body(nil) }
    guard Folder.isFolder(model.path) else {
      throw CommandFailure(.usage, "--workers takes models that are folders, but \(model.path) is a file.")
    }
    if let trace { try AtomicFile.check(trace, ifExists: .overwrite, createFolders: true) }
    let digest = try ModelDigest.transformer(
      of: model.path, remembering: DigestCache(environment: Environment.variables))
    let cores = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    let chromeTrace = trace == nil ? nil : ChromeTrace()
    var record: (@Sendable (StageSpan) -> Void)?
    if let chromeTrace { record = { chromeTrace.add($0) } }
    let local = try await LocalWorkers.start(
      count: workers, models: [modelName],
      threads: options.threads ?? max(1, cores / workers),
      memory: (memory ?? Memory.available ?? 1 << 40) / workers, trace: record)
    do {
      try await body(
        ClusterStages(
          coordinator: local.coordinator, digest: Messaging.Digest(digest), modelName: modelName,
          picturesAtOnce: 4 * workers))
    } catch {
      await local.stop()
      throw error
    }
    await local.stop()
    if let trace, let chromeTrace {
      try AtomicFile.write(Array(chromeTrace.json.text().utf8), to: trace, ifExists: .overwrite, createFolders: true)
    }
  }
}
