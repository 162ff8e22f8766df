import ArgumentParser
import Messaging
import RenderCluster
import StrictJSON

/// What is asked about jobs, one after the other; prints the number of each that it was done about.
struct JobCommandOptions: ParsableArguments {
  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Argument(help: ArgumentHelp("Numbers of jobs, as submit and jobs show them.", valueName: "job"))
  var jobs: [UInt64]

  func ask(_ command: (UInt64) -> JobCommand) async throws {
    let client = try await CoordinatorClient.connect(connection)
    do {
      for job in jobs {
        _ = try await client.ask(.jobs, Payload(JSONValue.object(command(job).json).text()))
        try StandardOutput.write("\(job)")
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }
}
