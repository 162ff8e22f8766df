import ArgumentParser
import Messaging
import RenderCluster
import StrictJSON

/// `clusca workers readmit`.
struct ReadmitWorkers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "readmit", abstract: "Lets workers have blocks again.",
    discussion: "A worker that was lost with three different jobs in ten minutes is set aside until then.")

  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Argument(help: ArgumentHelp("Names of workers, as status shows them.", valueName: "worker"))
  var workers: [String]

  func run() async throws {
    let client = try await CoordinatorClient.connect(connection)
    do {
      for worker in workers {
        let command = JobCommand.readmit(worker: worker)
        _ = try await client.ask(.jobs, Payload(JSONValue.object(command.json).text()))
        try StandardOutput.write(worker)
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }
}
