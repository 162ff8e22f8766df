import Conditioning
import Files
import Tensors
import Transformers

/// HunyuanVideo's two views of a prompt: Llama's hidden states and CLIP's pooled vector.
public struct HunyuanVideoTextEncoders: Sendable {
  /// Its hidden states come from the last but two of the states that there are.
  public let llama: LlamaEncoder
  public let llamaTokenizer: Tokenizer
  public let clip: CLIPTextEncoder
  public let clipTokenizer: Tokenizer
  /// The tokens of the template before the prompt: 95 with the tokenizer of the released model.
  public let droppedTokens: Int

  init(
    llama: LlamaEncoder, llamaTokenizer: Tokenizer, clip: CLIPTextEncoder, clipTokenizer: Tokenizer, path: String
  ) throws {
    for (tokenizer, vocabulary, name) in [
      (llamaTokenizer, llama.configuration.vocabulary, "tokenizer"),
      (clipTokenizer, clip.configuration.vocabulary, "tokenizer_2"),
    ] {
      guard tokenizer.idLimit <= vocabulary else {
        throw FileError(
          path: path,
          reason: "its \(name) knows \(tokenizer.idLimit) ids, but its text encoder has a vocabulary of \(vocabulary)")
      }
      guard tokenizer.padID != nil else { throw FileError(path: path, reason: "its \(name) has no padding token") }
    }
    self.llama = llama
    self.llamaTokenizer = llamaTokenizer
    self.clip = clip
    self.clipTokenizer = clipTokenizer
    droppedTokens = llamaTokenizer.encode(HunyuanVideoTemplate.head).count
  }

  /// The prompt in its template, cut or padded so that so many tokens are left behind the dropped ones.
  public func llamaIDs(_ prompt: String, maximumTokens: Int) -> EncodedText {
    llamaTokenizer.encode(HunyuanVideoTemplate.text(prompt), maximumLength: droppedTokens + maximumTokens)
  }

  /// The prompt for CLIP, always of the same length.
  public func clipIDs(_ prompt: String) -> EncodedText {
    clipTokenizer.encode(
      prompt, maximumLength: min(clipTokenizer.maximumLength ?? 77, clip.configuration.positions))
  }

  /// What the transformer takes of Llama's hidden states of all tokens: those of the prompt.
  public func condition(_ hiddenStates: Tensor, validTokens: Int, pooled: Tensor) -> Condition {
    .text(
      hiddenStates.rows(droppedTokens..<hiddenStates.rows), pooled: pooled,
      validTokens: max(0, validTokens - droppedTokens))
  }
}

extension HunyuanVideoTextEncoders: SubjectEncoder {
  public func encode(_ subject: Subject, maximumTokens: Int) throws -> EncodedSubject {
    guard case .prompt(let prompt) = subject else {
      throw SampleError(description: "HunyuanVideo takes a prompt, not a class.")
    }
    guard prompt.secondText == nil else {
      throw SampleError(
        description: "HunyuanVideo gives both of its text encoders the same prompt; it takes no second.")
    }
    let llamaIDs = llamaIDs(prompt.text, maximumTokens: maximumTokens)
    guard llamaIDs.tokens.lowerBound == 0 else {
      throw SampleError(
        description:
          "The tokenizer of Llama pads prompts in front (padding_side), but HunyuanVideo takes padding behind "
          + "them only.")
    }
    let hiddenStates = try llama(llamaIDs.ids, validTokens: llamaIDs.tokens.count)
    return EncodedSubject(
      condition(
        hiddenStates, validTokens: llamaIDs.tokens.count, pooled: try clip(clipIDs(prompt.text).ids).pooled),
      cutTokens: llamaIDs.cutCount)
  }
}
