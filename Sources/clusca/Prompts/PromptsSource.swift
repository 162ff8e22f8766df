import StrictJSON

/// The bytes of a prompts file and how each of the formats is read.
struct PromptsSource {
  let name: String
  let bytes: ArraySlice<UInt8>

  func entriesOfLines() throws(CommandFailure) -> [PromptEntry] {
    var entries: [PromptEntry] = []
    for (line, bytes) in lines() {
      var text = Self.trimmed(try self.text(bytes, line: line))
      guard !text.isEmpty, !text.hasPrefix("#") else { continue }
      if text.hasPrefix("\\#") { text = text.dropFirst() }
      entries.append(try entry(line: line, [(.prompt, .string(String(text)))]))
    }
    return entries
  }

  func entriesOfJSONLines() throws(CommandFailure) -> [PromptEntry] {
    var entries: [PromptEntry] = []
    for (line, bytes) in lines() {
      guard bytes.contains(where: { ![0x20, 0x09].contains($0) }) else { continue }
      let document: JSONValue
      do throws(JSONError) {
        document = try JSONValue(parsing: bytes, limits: JSONLimits(maximumBytes: 1 << 20, maximumDepth: 4))
      } catch {
        throw failure(line, "is no valid JSON: \(error)")
      }
      guard let object = document.object else {
        throw failure(line, "is no JSON object such as {\"prompt\": \"a cat\"}")
      }
      var values: [(PromptKey, JSONValue)] = []
      for (key, value) in object where !value.isNull {
        guard let known = PromptKey(rawValue: key) else { throw unknown(key, line: line) }
        values.append((known, value))
      }
      entries.append(try entry(line: line, values))
    }
    return entries
  }

  func entriesOfCommaSeparatedValues() throws(CommandFailure) -> [PromptEntry] {
    var records: [CommaSeparatedValues.Record]
    do throws(CommaSeparatedValues.Failure) {
      records = try CommaSeparatedValues.records(in: bytes)
    } catch {
      throw failure(error.line, error.reason)
    }
    guard !records.isEmpty else { return [] }
    let header = records.removeFirst()
    var keys: [PromptKey] = []
    for cell in header.cells {
      let column = Self.trimmed(try text(cell, line: header.line))
      guard let key = PromptKey(rawValue: String(column)) else { throw unknown(String(column), line: header.line) }
      guard !keys.contains(key) else { throw failure(header.line, "the column \"\(column)\" stands twice") }
      keys.append(key)
    }
    guard keys.contains(.prompt) || keys.contains(.classLabel) else {
      throw failure(header.line, "there is no column \"prompt\" and none \"class_label\"")
    }
    var entries: [PromptEntry] = []
    for record in records {
      guard record.cells.count == keys.count else {
        throw failure(record.line, "has \(record.cells.count) cells, but the first line names \(keys.count) columns")
      }
      var values: [(PromptKey, JSONValue)] = []
      for (key, cell) in zip(keys, record.cells) {
        let text = try text(cell, line: record.line)
        let trimmed = Self.trimmed(text)
        guard !trimmed.isEmpty else { continue }
        values.append((key, key.isText ? .string(text) : Self.number(trimmed)))
      }
      entries.append(try entry(line: record.line, values))
    }
    return entries
  }

  private func entry(line: Int, _ values: [(PromptKey, JSONValue)]) throws(CommandFailure) -> PromptEntry {
    var entry = PromptEntry()
    entry.line = line
    for (key, value) in values {
      do throws(PromptEntry.Refusal) {
        try entry.set(key, to: value)
      } catch {
        throw failure(line, error.reason)
      }
    }
    guard entry.classLabel == nil || entry.prompt.isEmpty else {
      throw failure(line, "there are both a prompt and a class_label")
    }
    guard entry.classLabel != nil || !Self.trimmed(entry.prompt).isEmpty else {
      throw failure(line, "there is no prompt")
    }
    return entry
  }

  /// The lines and their numbers, without line feeds and the carriage returns before them.
  private func lines() -> some Sequence<(line: Int, bytes: ArraySlice<UInt8>)> {
    bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated().lazy.map { index, line in
      (index + 1, line.last == 0x0D ? line.dropLast() : line)
    }
  }

  private func text(_ bytes: some Collection<UInt8>, line: Int) throws(CommandFailure) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw failure(line, "is not valid UTF-8; save the file as UTF-8")
    }
    return text
  }

  private func unknown(_ key: String, line: Int) -> CommandFailure {
    failure(line, "\"\(key.prefix(60))\" is none of the known names, which are \(PromptKey.list)")
  }

  private func failure(_ line: Int, _ reason: String) -> CommandFailure {
    CommandFailure(.input, "\(name), line \(line): \(reason).")
  }

  private static func number(_ text: Substring) -> JSONValue {
    if let integer = Int(text) { return .integer(integer) }
    if let number = Double(text), number.isFinite { return .number(number) }
    return .string(String(text))
  }

  private static func trimmed(_ text: String) -> Substring {
    let start = text.unicodeScalars.drop { $0.properties.isWhitespace }
    guard let last = start.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
    return Substring(start[...last])
  }
}
