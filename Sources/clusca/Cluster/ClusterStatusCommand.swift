import ArgumentParser
import Messaging
import StrictJSON

/// `clusca status`: workers and jobs of a coordinator.
struct ClusterStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Shows the workers and jobs of a coordinator.")

  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Flag(help: "Print a JSON object.")
  var json = false

  @Flag(help: "Show it again every second, until interrupted.")
  var watch = false

  func run() async throws {
    let client = try await CoordinatorClient.connect(connection)
    do {
      repeat {
        let (_, payload) = try await client.ask(.status)
        let status = try JSONValue(parsing: payload.bytes)
        try StandardOutput.write(json ? status.text() : ClusterReport(status).text)
        if watch { try await Task.sleep(for: .seconds(1)) }
      } while watch
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }
}

/// `clusca cancel`: ends a job.
struct CancelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Ends jobs of a coordinator.",
    discussion: "A client may end its own jobs, an admin all.")

  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Argument(help: ArgumentHelp("Numbers of jobs, as submit and status show them.", valueName: "job"))
  var jobs: [UInt64]

  func run() async throws {
    let client = try await CoordinatorClient.connect(connection)
    do {
      for job in jobs {
        _ = try await client.ask(.cancel, job: job)
        try StandardOutput.write("\(job)")
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }
}

/// What a coordinator's status says, as text.
struct ClusterReport {
  private let status: JSONValue

  init(_ status: JSONValue) { self.status = status }

  var text: String {
    var lines: [String] = []
    let workers = status["workers"]?.array ?? []
    lines.append(workers.isEmpty ? "No workers." : "")
    if !workers.isEmpty {
      let rows = workers.map { worker -> [String] in
        let blocks = worker["blocks"]?.array?.compactMap(\.int) ?? []
        return [
          worker["name"]?.string ?? "", worker["state"]?.string ?? "",
          blocks.count == 2 ? "\(blocks[0])-\(blocks[1] - 1)" : "-", "\(worker["threads"]?.int ?? 0)",
          bytes(worker["resident_bytes"]), bytes(worker["cache_bytes"]), bytes(worker["memory_bytes"]),
          DecimalText.fixed(worker["gflops"]?.double ?? 0, digits: 1),
          "\(ByteCount(Int(worker["link_bytes_per_second"]?.double ?? 0)))/s", worker["roles"]?.string ?? "",
        ]
      }
      lines = Self.table(
        ["worker", "state", "blocks", "threads", "resident", "cache", "may use", "GFLOP/s", "link", "does"], rows)
    }
    let jobs = status["jobs"]?.array ?? []
    lines.append("")
    if jobs.isEmpty { lines.append("No jobs.") }
    if !jobs.isEmpty {
      let rows = jobs.map { job in
        [
          "\(job["id"]?.int ?? 0)", job["client"]?.string ?? "", job["model"]?.string ?? "",
          job["state"]?.string ?? "", "\(job["steps_done"]?.int ?? 0)/\(job["steps"]?.int ?? 0)",
          job["steps_kept"]?.int.map(String.init) ?? "",
          job["loss_costs_ms"]?.int.map { "\(DecimalText.fixed(Double($0) / 1000, digits: 1)) s" } ?? "",
          job["text"]?.string ?? "",
        ]
      }
      lines += Self.table(["job", "client", "model", "state", "steps", "safe", "a loss costs", ""], rows)
    }
    if let obstacle = status["obstacle"]?.string { lines.append("Jobs wait: \(obstacle)") }
    return lines.joined(separator: "\n")
  }

  private func bytes(_ value: JSONValue?) -> String { ByteCount(value?.int ?? 0).description }

  static func table(_ header: [String], _ rows: [[String]]) -> [String] {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
        .joined(separator: "  ").trimmed
    }
  }
}

extension String {
  /// Without spaces at the end.
  fileprivate var trimmed: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
