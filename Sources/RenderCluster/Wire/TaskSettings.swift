import Autoencoders
import Messaging
import Rendering
import StrictJSON

/// What travels of a task beside numbers and tensors, as JSON.
enum TaskSettings: Sendable, Equatable {
  case prompt(PromptText)
  case tiling(Tiling)

  var payload: Payload {
    let json: JSONObject =
      switch self {
      case .prompt(let prompt):
        ["prompt": .string(prompt.text), "prompt_2": prompt.secondText.map(JSONValue.string) ?? .null]
      case .tiling(.never): ["tiling": "never"]
      case .tiling(.always): ["tiling": "always"]
      case .tiling(.above(let bytes)): ["tiling": .integer(bytes)]
      }
    return Payload(JSONValue.object(json).text())
  }

  /// - Throws: ``WireError`` for anything but what ``payload`` makes.
  init(_ payload: Payload) throws {
    let json = try JSONValue(payload, of: "a task")
    if let text = json["prompt"]?.string {
      self = .prompt(PromptText(text, second: json["prompt_2"]?.string))
    } else if let bytes = json["tiling"]?.int, bytes >= 0 {
      self = .tiling(.above(bytes: bytes))
    } else if json["tiling"] == "never" || json["tiling"] == "always" {
      self = .tiling(json["tiling"] == "never" ? .never : .always)
    } else {
      throw WireError("The settings of a task name neither a prompt nor tiles")
    }
  }
}

/// What a worker says of a prompt that it has encoded, as JSON.
struct TaskFacts: Sendable, Equatable {
  var cutTokens = 0
  /// How many tokens are no padding; nil for models without a mask.
  var validTokens: Int?

  init(cutTokens: Int = 0, validTokens: Int? = nil) {
    self.cutTokens = cutTokens
    self.validTokens = validTokens
  }

  var payload: Payload {
    Payload(
      JSONValue.object([
        "cut_tokens": .integer(cutTokens), "valid_tokens": validTokens.map(JSONValue.integer) ?? .null,
      ]).text())
  }

  /// - Throws: ``WireError`` for anything but what ``payload`` makes.
  init(_ payload: Payload) throws {
    guard let json = try? JSONValue(parsing: payload.bytes), let cut = json["cut_tokens"]?.int, cut >= 0,
      let valid = json["valid_tokens"], valid.isNull || valid.int.map({ $0 >= 0 }) ?? false
    else { throw WireError("What a task says of its result makes no sense") }
    cutTokens = cut
    validTokens = valid.int
  }
}
