import Tensors
import Transformers

/// What a picture shall show, or what it shall be led away from.
public enum Subject: Sendable, Hashable {
  case prompt(PromptText)
  /// A class of the model's training; nil for none in particular.
  case label(Int?)
}

/// A text as the user wrote it; some families have a second one for their second encoder.
public struct PromptText: Sendable, Hashable {
  public var text: String
  public var secondText: String?

  public init(_ text: String, second: String? = nil) {
    self.text = text
    secondText = second
  }
}

/// A subject as the transformer takes it.
public struct EncodedSubject: Sendable {
  public var condition: Condition
  /// How many tokens of a prompt were too many and had no effect.
  public var cutTokens: Int

  public init(_ condition: Condition, cutTokens: Int = 0) {
    self.condition = condition
    self.cutTokens = cutTokens
  }
}

/// Makes of a subject what the transformer takes.
public protocol SubjectEncoder: Sendable {
  /// - Parameter maximumTokens: the text tokens that the transformer sees; shorter prompts are padded.
  /// - Throws: `SampleError` for a subject of a kind that the model does not take.
  func encode(_ subject: Subject, maximumTokens: Int) throws -> EncodedSubject
}

/// The channels of the latents that classifier-free guidance changes.
public enum GuidedChannels: String, Sendable, Hashable, CaseIterable {
  case all
  /// The first three of four, as the original code of DiT has it and that of ClusCa's authors.
  case three
}
