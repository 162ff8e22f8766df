import Messaging
import StrictJSON

extension LedgerJob {
  /// All of it, for the journal.
  var json: JSONObject {
    var json: JSONObject = [
      "id": .number(of: id), "client": .string(client), "key": .string(Hexadecimal.text(key)),
      "request": .string(request), "model": .string(model), "steps": .integer(steps), "accepted": .number(of: accepted),
      "priority": .integer(priority),
    ]
    if isPaused { json["paused"] = true }
    if attempts > 0 { json["attempts"] = .integer(attempts) }
    if losses > 0 { json["losses"] = .integer(losses) }
    if mark > 0 { json["mark"] = .integer(mark) }
    if requeues > 0 { json["requeues"] = .integer(requeues) }
    if !troubles.isEmpty { json["troubles"] = .array(troubles.map { .object($0.json) }) }
    if let ending { json["ending"] = .object(ending.json) }
    return json
  }

  init?(_ json: JSONValue) {
    guard let id = json["id"]?.unsigned, let client = json["client"]?.string,
      let key = json["key"]?.string.flatMap(Hexadecimal.bytes), key.count == Submission.keyBytes,
      let request = json["request"]?.string, let model = json["model"]?.string, let steps = json["steps"]?.count,
      let accepted = json["accepted"]?.unsigned, let priority = json["priority"]?.priority,
      let attempts = (json["attempts"] ?? 0).count, let losses = (json["losses"] ?? 0).count,
      let mark = (json["mark"] ?? 0).count, let requeues = (json["requeues"] ?? 0).count
    else { return nil }
    self.init(
      id: id, client: client, key: key, request: request, model: model, steps: steps, accepted: accepted,
      priority: priority)
    isPaused = json["paused"]?.bool ?? false
    (self.attempts, self.losses, self.mark, self.requeues) = (attempts, losses, mark, requeues)
    for value in json["troubles"]?.array ?? [] {
      guard let trouble = Trouble(value) else { return nil }
      troubles.append(trouble)
    }
    if let value = json["ending"] {
      guard let ending = Ending(value) else { return nil }
      self.ending = ending
    }
  }
}

extension LedgerJob.Trouble {
  var json: JSONObject {
    ["date": .number(of: date), "worker": .string(worker), "step": .integer(step), "text": .string(text)]
  }

  init?(_ json: JSONValue) {
    guard let date = json["date"]?.unsigned, let worker = json["worker"]?.string, let step = json["step"]?.int,
      let text = json["text"]?.string
    else { return nil }
    self.init(date: date, worker: worker, step: step, text: text)
  }
}

extension LedgerJob.Ending {
  var json: JSONObject {
    var json: JSONObject = ["outcome": .string("\(ending.outcome)"), "date": .number(of: date)]
    if let reason = ending.reason { json["reason"] = .string("\(reason)") }
    if !ending.text.isEmpty { json["text"] = .string(ending.text) }
    if !outputs.isEmpty { json["outputs"] = .array(outputs.map { .object($0.json) }) }
    return json
  }

  init?(_ json: JSONValue) {
    guard let date = json["date"]?.unsigned,
      let outcome = JobEnding.Outcome.allCases.first(where: { .string("\($0)") == json["outcome"] })
    else { return nil }
    let reason = Reason.allCases.first { .string("\($0)") == json["reason"] }
    guard (reason == nil) == (json["reason"] == nil) else { return nil }
    var outputs: [LedgerJob.Output] = []
    for value in json["outputs"]?.array ?? [] {
      guard let output = LedgerJob.Output(value) else { return nil }
      outputs.append(output)
    }
    self.init(
      ending: JobEnding(outcome, reason: reason, text: json["text"]?.string ?? ""), date: date, outputs: outputs)
  }
}

extension LedgerJob.Output {
  public var json: JSONObject {
    ["name": .string(name), "bytes": .integer(bytes), "sha256": .string(digest.description)]
  }

  init?(_ json: JSONValue) {
    guard let name = json["name"]?.string, let bytes = json["bytes"]?.int,
      let digest = json["sha256"]?.string.flatMap(Hexadecimal.bytes).flatMap({ Digest($0) })
    else { return nil }
    self.init(name: name, bytes: bytes, digest: digest)
  }
}

/// Bytes as two lower-case digits each.
enum Hexadecimal {
  static func text(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  static func bytes(_ text: String) -> [UInt8]? {
    let digits = text.utf8.map { $0 }
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16),
        digits[place] != UInt8(ascii: "+"), digits[place] != UInt8(ascii: "-")
      else { return nil }
      bytes.append(byte)
    }
    return bytes
  }
}
