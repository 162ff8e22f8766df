/// Why a tokenizer could not be read: one sentence that begins with the file.
public struct TokenizerError: Error, Sendable, Hashable, CustomStringConvertible {
  public let path: String
  public let problem: Problem

  public enum Problem: Error, Sendable, Hashable {
    case missing
    /// No regular file, too large, or refused by the system; the text says why.
    case unreadable(String)
    /// No JSON, or JSON beyond the limits, from the given byte on.
    case malformedJSON(String, offset: Int)
    /// A SentencePiece model that is cut or damaged at the given byte.
    case malformedModel(String, offset: Int)
    /// Well-formed, but not what a tokenizer's file holds.
    case malformed(String)
    /// A kind of normalizer, pre-tokenizer, model or post-processor that is not implemented.
    case unknownComponent(String, type: String)
    /// An option whose meaning is known but not implemented.
    case unsupported(String)
    case idOutOfRange(Int, token: String)
    /// A token that another part of the file needs.
    case missingToken(String, neededFor: String)
  }

  public init(path: String, _ problem: Problem) {
    self.path = path
    self.problem = problem
  }

  public var description: String { "\(path.escaped(limit: 400)): \(problem)" }
}

extension TokenizerError.Problem: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing: "there is no such file"
    case .unreadable(let reason): "cannot be read: \(reason)"
    case .malformedJSON(let reason, let offset): "is not valid JSON: \(reason.escapedForMessages) at byte \(offset)"
    case .malformedModel(let reason, let offset): "is a damaged SentencePiece model: \(reason) at byte \(offset)"
    case .malformed(let reason): reason.escapedForMessages
    case .unknownComponent(let kind, let type): "the \(kind) \"\(type.escapedForMessages)\" is not supported"
    case .unsupported(let what): "\(what.escapedForMessages) is not supported"
    case .idOutOfRange(let id, let token): "the id \(id) of the token \"\(token.escapedForMessages)\" is out of range"
    case .missingToken(let token, let use):
      "the token \"\(token.escapedForMessages)\" is missing from the vocabulary, but \(use) needs it"
    }
  }
}

extension String {
  var escapedForMessages: String { escaped(limit: 120) }

  /// The text as it may stand in a message: control characters escaped, cut after `limit` characters. Tokenizers come
  /// from strangers and must not drive a terminal or forge a log line.
  func escaped(limit: Int) -> String {
    var text = ""
    for scalar in unicodeScalars.prefix(limit) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        text += "\\u{\(String(scalar.value, radix: 16))}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return unicodeScalars.count > limit ? text + "…" : text
  }
}
