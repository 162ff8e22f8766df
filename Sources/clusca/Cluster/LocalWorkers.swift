import Files
import Glibc
import Messaging
import RenderCluster
import Rendering
import Synchronization
import Tensors

/// Workers that this process starts for itself, with a coordinator in it: the whole cluster on one machine.
///
/// They talk over sockets in a folder that is the user's alone, so that no keys are needed. They end with this process,
/// however it ends: their standard input is a pipe from it.
final class LocalWorkers: Sendable {
  private struct State {
    /// By process.
    var names: [pid_t: String] = [:]
    var started = 0
    var restarts = 0
    var isStopping = false
  }

  /// Workers that may die of themselves before the run is given up.
  private static let maximumRestarts = 3

  let coordinator: Coordinator
  private let folder: String
  private let arguments: [String]
  private let count: Int
  /// The end of the pipe that the workers' lives hang on, and theirs.
  private let (writing, reading): (Int32, Int32)
  private let state = Mutex(State())

  /// - Parameters:
  ///   - count: how many.
  ///   - models: as for `--model`.
  ///   - threads: of each.
  ///   - memory: of each, in bytes.
  static func start(
    count: Int, models: [String], threads: Int, memory: Int,
    trace: (@Sendable (StageSpan) -> Void)? = nil
  ) async throws -> LocalWorkers {
    let folder = try TemporaryFolderForSockets.make()
    let coordinator: Coordinator
    do {
      coordinator = try await Coordinator.start(
        CoordinatorConfiguration(
          endpoints: [.ipc(path: folder + "/control")], outputs: .ipc(path: folder + "/outputs"), security: .plaintext,
          epoch: 1, build: try Version.build(), numerics: Messaging.Digest(try NumericsClass.current()),
          waitsForWorkers: false, planning: StagePlanner.planning, note: { _ in }, trace: trace))
    } catch {
      TemporaryFolderForSockets.remove(folder)
      throw error
    }
    // A single pipeline, since that is what is to be tried.
    // Equal speeds, since all of them would measure at the same time; and a link that is no link.
    let arguments =
      ["worker", "--coordinator", "ipc://\(folder)/control", "--threads", "\(threads)", "--memory", "\(memory)"]
      + ["--gflops", "100", "--link", "1GB/s", "--quiet", "--end-with-input"] + models.flatMap { ["--model", $0] }
    let workers = try LocalWorkers(coordinator, folder, arguments, count: count)
    do {
      for _ in 0..<count { try workers.startOne() }
      try await workers.waitForAll()
    } catch {
      await workers.stop()
      throw error
    }
    return workers
  }

  private init(_ coordinator: Coordinator, _ folder: String, _ arguments: [String], count: Int) throws {
    self.coordinator = coordinator
    self.folder = folder
    self.arguments = arguments
    self.count = count
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw CommandFailure(.failure, "A pipe cannot be made: \(String(cString: strerror(errno))).")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (reading, writing) = (ends[0], ends[1])
  }

  private func startOne() throws {
    let name = state.withLock { state in
      state.started += 1
      return "local-\(state.started)"
    }
    let process = try ChildProcess.start(
      "/proc/self/exe", ["clusca"] + arguments + ["--name", name, "--listen", "ipc://\(folder)/\(name)"],
      standardInput: reading)
    state.withLock { $0.names[process] = name }
    ChildProcess.whenEnded(process) { [weak self] in self?.ended(process) }
  }

  private func ended(_ process: pid_t) {
    let (name, isExpected, mayRestart) = state.withLock { state in
      let name = state.names.removeValue(forKey: process)
      if !state.isStopping { state.restarts += 1 }
      return (name, state.isStopping, state.restarts <= Self.maximumRestarts)
    }
    guard let name, !isExpected else { return }
    coordinator.workerIsGone(name)
    StandardError.write("clusca: The worker \(name) (process \(process)) has ended before its time.")
    if mayRestart { try? startOne() }
  }

  /// Until all have said hello.
  private func waitForAll() async throws {
    while await coordinator.status.workers.count < count {
      guard state.withLock({ $0.restarts <= Self.maximumRestarts }) else {
        throw CommandFailure(.failure, "The workers end as soon as they are started.")
      }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  /// Ends the workers and takes their sockets away.
  func stop() async {
    let processes = state.withLock { state in
      state.isStopping = true
      return Array(state.names.keys)
    }
    for process in processes { kill(process, SIGKILL) }
    close(writing)
    close(reading)
    await coordinator.stop()
    TemporaryFolderForSockets.remove(folder)
  }
}

/// A folder of the permissions 0700 for sockets, whose paths must be short.
private enum TemporaryFolderForSockets {
  static func make() throws -> String {
    var template = Array("/tmp/clusca-XXXXXX".utf8CString)
    guard let path = mkdtemp(&template) else {
      throw CommandFailure(.output, "A folder in /tmp cannot be made: \(String(cString: strerror(errno))).")
    }
    return String(cString: path)
  }

  static func remove(_ folder: String) {
    guard let entries = opendir(folder) else { return }
    while let entry = readdir(entries) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { unlink("\(folder)/\(name)") }
    }
    closedir(entries)
    rmdir(folder)
  }
}

/// Processes of the same program.
private enum ChildProcess {
  static func start(_ path: String, _ arguments: [String], standardInput: Int32) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, standardInput, STDIN_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A group of its own: Ctrl-C is for this process, which ends the workers itself.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    var pointers = arguments.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, path, &actions, &attributes, &pointers, environ)
    guard code == 0 else {
      throw CommandFailure(.failure, "A worker cannot be started: \(String(cString: strerror(code))).")
    }
    return process
  }

  /// Calls `body` on a thread of its own.
  static func whenEnded(_ process: pid_t, _ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let process: pid_t
      let body: @Sendable () -> Void
      init(_ process: pid_t, _ body: @escaping @Sendable () -> Void) { (self.process, self.body) = (process, body) }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(process, body))
    pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
        var status: Int32 = 0
        while waitpid(box.process, &status, 0) < 0, errno == EINTR {}
        box.body()
        return nil
      }, box.toOpaque())
    pthread_detach(thread)
  }
}
