import Messaging
import StrictJSON
import Transformers

/// What the coordinator knows, for people and programs that ask.
public struct ClusterStatus: Sendable, Hashable {
  public struct Worker: Sendable, Hashable {
    public var name: String
    public var threads: Int
    public var memoryBytes: Int
    public var residentBytes: Int
    public var cacheBytes: Int
    public var operationsPerSecond: Double
    /// Of its link, as far as that is known.
    public var bytesPerSecond: Double
    /// In words, with commas between them.
    public var roles: String
    /// Prompts and pictures that it has encoded and decoded.
    public var tasksDone: Int
    /// Nil without a stage.
    public var blocks: BlockRange?
    /// "idle", "loading", "ready", "draining" or "set aside".
    public var state: String
    public var silentMilliseconds: Int
  }

  public struct Job: Sendable, Hashable {
    public var id: UInt64
    public var model: String
    public var isRunning: Bool
    public var steps: Int
    /// The steps that all rows have done.
    public var doneSteps: Int
    /// The steps that would not be done again if a worker were lost now.
    public var keptSteps: Int
    /// How long what would be done again was computed.
    public var lossMilliseconds: Int64
  }

  public var epoch: UInt64
  public var workers: [Worker]
  public var jobs: [Job]
  /// Why jobs wait although nothing runs.
  public var obstacle: String?

  public var json: JSONObject {
    [
      "epoch": .integer(Int(clamping: epoch)),
      "workers": .array(
        workers.map { worker in
          [
            "name": .string(worker.name), "state": .string(worker.state), "threads": .integer(worker.threads),
            "blocks": worker.blocks.map { [.integer($0.lowerBound), .integer($0.upperBound)] } ?? .null,
            "memory_bytes": .integer(worker.memoryBytes), "resident_bytes": .integer(worker.residentBytes),
            "cache_bytes": .integer(worker.cacheBytes), "gflops": .number(worker.operationsPerSecond / 1e9),
            "link_bytes_per_second": .number(worker.bytesPerSecond), "roles": .string(worker.roles),
            "tasks_done": .integer(worker.tasksDone),
            "silent_ms": .integer(worker.silentMilliseconds),
          ]
        }),
      "jobs": .array(
        jobs.map { job in
          [
            "id": .integer(Int(clamping: job.id)), "model": .string(job.model),
            "state": .string(job.isRunning ? "running" : "waiting"), "steps": .integer(job.steps),
            "steps_done": .integer(job.doneSteps), "steps_kept": .integer(job.keptSteps),
            "loss_costs_ms": .integer(Int(job.lossMilliseconds)),
          ]
        }),
      "obstacle": obstacle.map(JSONValue.string) ?? .null,
    ]
  }
}

extension CoordinatorCore {
  /// - Parameter now: microseconds of the clock that ``handle(_:now:)`` is told.
  public func status(now: Int64) -> ClusterStatus {
    ClusterStatus(
      epoch: identity.epoch,
      workers: workers.map { worker in
        let pipeline = pipeline(of: worker.name)
        let stage = pipeline?.stage(of: worker.name)
        let isLoading = stage.map { pipeline?.loading.contains($0) ?? false } ?? false
        return ClusterStatus.Worker(
          name: worker.name, threads: Int(worker.hello.threads), memoryBytes: Int(clamping: worker.hello.memoryBytes),
          residentBytes: Int(clamping: worker.residentBytes), cacheBytes: Int(clamping: worker.cacheBytes),
          operationsPerSecond: worker.speed.operationsPerSecond, bytesPerSecond: worker.bytesPerSecond,
          roles: worker.hello.roles.words, tasksDone: worker.tasksDone,
          blocks: stage.flatMap { pipeline?.plan.stages[Int($0)].blocks },
          state: worker.isDraining
            ? "draining"
            : isSetAside(worker.name) ? "set aside" : stage == nil ? "idle" : isLoading ? "loading" : "ready",
          silentMilliseconds: Int(now / 1000 - worker.heard))
      },
      jobs: jobs.map { job in
        ClusterStatus.Job(
          id: job.id, model: job.facts.modelName, isRunning: job.state == .running, steps: job.facts.steps,
          doneSteps: job.samples.count < job.facts.rows ? 0 : job.samples.map(\.delivered).min() ?? 0,
          keptSteps: job.keptSteps, lossMilliseconds: job.lossMilliseconds(now: now / 1000))
      }, obstacle: jobs.isEmpty ? nil : obstacle)
  }
}
