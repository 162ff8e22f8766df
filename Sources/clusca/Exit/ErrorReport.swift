import ArgumentParser
import Conditioning
import Files
import Journaling
import Media
import Messaging
import RenderCluster
import StrictJSON
import Tensors
import Transformers

/// What the program says about an error, and the status with which it ends: the one place that decides both.
struct ErrorReport: Equatable {
  let status: ExitStatus
  /// One line; nil if there is nothing to say.
  let sentence: String?

  init(_ error: any Error) {
    let described: String
    switch error {
    case let failure as CommandFailure: (status, described) = (failure.status, failure.sentence)
    case let error as MediaError: (status, described) = (Self.status(of: error), error.description)
    case let error as FileError:
      (status, described) = (error.action == .reading ? .input : .output, error.description)
    case let error as SafetensorsError: (status, described) = (Self.status(of: error), error.description)
    case let error as TensorError: (status, described) = (.input, error.description)
    case let error as ParameterError: (status, described) = (.input, error.description)
    case let error as TokenizerError: (status, described) = (.input, error.description)
    case let error as SampleError: (status, described) = (.input, error.description)
    case let error as HuggingFaceCacheError: (status, described) = (.input, error.description)
    case let error as StagePlanFailure: (status, described) = (.memory, error.description)
    case let error as JSONError: (status, described) = (.input, error.description)
    case let error as JobError: (status, described) = (Self.status(of: error), error.description)
    case let error as JournalDamage: (status, described) = (.input, error.description)
    case let error as JournalError: (status, described) = (Self.status(of: error), Self.sentence(of: error))
    case let error as SecurityError: (status, described) = (.insecure, error.description)
    case let error as EndpointError: (status, described) = (.usage, error.description)
    case let error as KeyFileError: (status, described) = (.input, error.description)
    case let error as SocketError: (status, described) = (.unavailable, error.description)
    case is CancellationError: (status, described) = (.interrupted, "interrupted")
    default:
      // ArgumentParser's own errors have types that it does not show.
      let isUsage = Clusca.exitCode(for: error) == .validationFailure
      (status, described) = isUsage ? (.usage, Self.usage(error)) : (.failure, String(describing: error))
    }
    sentence = Self.sentence(described)
  }

  /// Says it on the standard error.
  func print() {
    if let sentence { StandardError.write("clusca: \(sentence)") }
  }

  private static func status(of error: MediaError) -> ExitStatus {
    switch error {
    case .unreadablePNG, .unsuitablePicture: .input
    case .unwritablePNG, .unsuitableText, .missingProgram, .unwritableVideo: .output
    case .unsuitablePattern: .usage
    }
  }

  private static func status(of error: JobError) -> ExitStatus {
    switch error.reason {
    case .memory: .memory
    case .request: .usage
    case .numeric, .model, .storage: .input
    case .denied, .version, .build, .numerics, .replaced: .refused
    case .busy, .quota: .busy
    case .cancelled: .interrupted
    default: .failure
    }
  }

  private static func status(of error: JournalError) -> ExitStatus {
    switch error {
    case .locked: .busy
    case .damaged, .newerFormat: .input
    case .file(let error): error.action == .reading ? .input : .journal
    }
  }

  private static func sentence(of error: JournalError) -> String {
    if case .locked = error { return "\(error); give each its own --state" }
    return error.description
  }

  private static func status(of error: SafetensorsError) -> ExitStatus {
    if case .unwritable = error.problem { return .output }
    return .input
  }

  /// The message of ArgumentParser, and of its further lines only the command whose help is meant.
  private static func usage(_ error: any Error) -> String {
    let message = Clusca.message(for: error)
    let command =
      Clusca.fullMessage(for: error).split(separator: "'").last { $0.hasSuffix(" --help") } ?? "clusca --help"
    let separator = message.hasSuffix(".") || message.hasSuffix("?") ? " See" : "; see"
    return "\(message)\(separator) \(command)"
  }

  /// One line that ends as a sentence does; what ends with a command to type stays as it is.
  private static func sentence(_ text: String) -> String {
    let line = oneLine(text)
    guard let last = line.last, last.isLetter || last.isNumber || "\")'".contains(last) else { return line }
    return line.hasSuffix(" --help") || line.contains(" with: hf download ") ? line : line + "."
  }

  /// The text without line breaks and other characters that could steer a terminal.
  static func oneLine(_ text: String) -> String {
    var line = ""
    for part in text.split(whereSeparator: \.isNewline) {
      let part = part.drop { $0 == " " }
      guard !part.isEmpty else { continue }
      if !line.isEmpty { line += line.hasSuffix(".") || line.hasSuffix(":") ? " " : "; " }
      line += part
    }
    return line.withControlsShown
  }
}
