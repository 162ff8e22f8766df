import StrictJSON

/// A JSON object of a tokenizer's file, read with errors that name the file and the part of it.
struct TokenizerObject: Sendable {
  let path: String
  /// What the object is: "normalizer", "model"…
  let name: String
  let members: JSONObject

  init(_ json: JSONValue, name: String, path: String) throws(TokenizerError) {
    guard let members = json.object else { throw TokenizerError(path: path, .malformed("the \(name) is no object")) }
    self.path = path
    self.name = name
    self.members = members
  }

  /// The `type` of a component.
  var type: String {
    get throws(TokenizerError) { try string("type") }
  }

  var unknownType: TokenizerError {
    get throws(TokenizerError) { TokenizerError(path: path, .unknownComponent(name, type: try type)) }
  }

  func failure(_ problem: TokenizerError.Problem) -> TokenizerError { TokenizerError(path: path, problem) }

  /// "the X of the normalizer Y", for messages.
  func describe(_ key: String) -> String {
    guard let type = members["type"]?.string, key != "type" else { return "\"\(key)\" of the \(name)" }
    return "\"\(key)\" of the \(name) \"\(type)\""
  }

  func malformed(_ key: String, _ expected: String) -> TokenizerError {
    failure(.malformed("\(describe(key)) is not \(expected)"))
  }

  /// The member, nil if it is missing or null.
  func value(_ key: String) -> JSONValue? {
    // Not by `?:` with nil, which would be the JSON value null.
    guard let value = members[key], !value.isNull else { return Optional.none }
    return value
  }

  func required(_ key: String, _ expected: String) throws(TokenizerError) -> JSONValue {
    guard let value = value(key) else {
      throw failure(.malformed("\(describe(key)) is missing; \(expected) is needed"))
    }
    return value
  }

  func string(_ key: String) throws(TokenizerError) -> String {
    guard let string = try required(key, "a text").string else { throw malformed(key, "a text") }
    return string
  }

  func optionalString(_ key: String) throws(TokenizerError) -> String? {
    value(key) == nil ? nil : try string(key)
  }

  func bool(_ key: String, default fallback: Bool? = nil) throws(TokenizerError) -> Bool {
    if let fallback, value(key) == nil { return fallback }
    guard let bool = try required(key, "true or false").bool else { throw malformed(key, "true or false") }
    return bool
  }

  func integer(_ key: String) throws(TokenizerError) -> Int {
    guard let integer = try required(key, "a whole number").int else { throw malformed(key, "a whole number") }
    return integer
  }

  func array(_ key: String) throws(TokenizerError) -> [JSONValue] {
    guard let array = try required(key, "a list").array else { throw malformed(key, "a list") }
    return array
  }

  /// A text of bounded length: what is inserted or searched at every character must be short.
  func shortText(_ key: String) throws(TokenizerError) -> [UInt8] {
    let text = Array(try string(key).utf8)
    guard text.count <= 256 else { throw malformed(key, "a text of at most 256 bytes") }
    return text
  }

  /// A single character.
  func character(_ key: String) throws(TokenizerError) -> [UInt8] {
    let text = try string(key)
    guard text.unicodeScalars.count == 1 else { throw malformed(key, "a single character") }
    return Array(text.utf8)
  }

  /// Runs `body`, naming the file in what it throws.
  func naming<Value>(_ body: () throws(TokenizerError.Problem) -> Value) throws(TokenizerError) -> Value {
    do throws(TokenizerError.Problem) { return try body() } catch { throw failure(error) }
  }
}
