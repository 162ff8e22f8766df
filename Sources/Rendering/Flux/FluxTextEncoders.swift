import Conditioning
import Files
import Tensors
import Transformers

/// FLUX' two views of a prompt: CLIP's pooled vector and T5's hidden states.
public struct FluxTextEncoders: Sendable {
  public let clip: CLIPTextEncoder
  public let clipTokenizer: Tokenizer
  public let t5: T5Encoder
  public let t5Tokenizer: Tokenizer

  init(
    clip: CLIPTextEncoder, clipTokenizer: Tokenizer, t5: T5Encoder, t5Tokenizer: Tokenizer, path: String
  ) throws {
    for (tokenizer, vocabulary, name) in [
      (clipTokenizer, clip.configuration.vocabulary, "tokenizer"),
      (t5Tokenizer, t5.configuration.vocabulary, "tokenizer_2"),
    ] {
      guard tokenizer.idLimit <= vocabulary else {
        throw FileError(
          path: path,
          reason: "its \(name) knows \(tokenizer.idLimit) ids, but its text encoder has a vocabulary of \(vocabulary)")
      }
      guard tokenizer.padID != nil else { throw FileError(path: path, reason: "its \(name) has no padding token") }
    }
    self.clip = clip
    self.clipTokenizer = clipTokenizer
    self.t5 = t5
    self.t5Tokenizer = t5Tokenizer
  }

  /// The longest prompt that CLIP takes: its table of positions, or less if the tokenizer says so.
  private var clipLength: Int { min(clipTokenizer.maximumLength ?? 77, clip.configuration.positions) }
}

extension FluxTextEncoders: SubjectEncoder {
  public func encode(_ subject: Subject, maximumTokens: Int) throws -> EncodedSubject {
    guard case .prompt(let prompt) = subject else {
      throw SampleError(description: "FLUX takes a prompt, not a class.")
    }
    let clipIDs = clipTokenizer.encode(prompt.text, maximumLength: clipLength)
    let t5IDs = t5Tokenizer.encode(prompt.secondText ?? prompt.text, maximumLength: maximumTokens)
    return EncodedSubject(
      .text(try t5(t5IDs.ids), pooled: try clip(clipIDs.ids).pooled), cutTokens: t5IDs.cutCount)
  }
}
