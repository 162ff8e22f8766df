/// Why a command ends without success: one sentence for the user, which names file or flag and what to do, and the
/// status.
struct CommandFailure: Error, Equatable, CustomStringConvertible {
  let status: ExitStatus
  let sentence: String

  init(_ status: ExitStatus, _ sentence: String) {
    self.status = status
    self.sentence = sentence
  }

  var description: String { sentence }
}
