import StrictJSON

/// A vocabulary as a JSON object: tokens with their ids.
enum VocabularyJSON {
  static func entries(_ object: JSONObject, path: String) throws(TokenizerError) -> [(key: [UInt8], id: Int32)] {
    var entries: [(key: [UInt8], id: Int32)] = []
    entries.reserveCapacity(object.count)
    for (token, json) in object {
      guard let id = json.int else {
        throw TokenizerError(path: path, .malformed("the id of the token \"\(token)\" is not a whole number"))
      }
      guard id >= 0, id <= Int(Vocabulary.maximumID) else {
        throw TokenizerError(path: path, .idOutOfRange(id, token: token))
      }
      entries.append((Array(token.utf8), Int32(id)))
    }
    return entries
  }
}
