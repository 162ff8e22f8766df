import Files
import Glibc
import StrictJSON
import Testing

@testable import Conditioning

@Suite struct TokenizerBadFileTests {
  typealias Files = TokenizerTestFiles

  func refusal(_ tokenizer: String, configuration: String? = nil) throws -> String {
    let folder = try TokenizerTestFolder()
    try folder.write(tokenizer, "tokenizer.json")
    if let configuration { try folder.write(configuration, "tokenizer_config.json") }
    return folder.refusal
  }

  /// A small tokenizer.json with other members.
  func refusal(with members: String) throws -> String {
    try refusal(#"{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}, \#(members)}"#)
  }

  func refusal(model: String) throws -> String { try refusal(#"{"model": \#(model)}"#) }

  @Test func missingFilesAreNamed() throws {
    let folder = try TokenizerTestFolder()
    #expect(folder.refusal.hasPrefix(": holds no tokenizer; expected tokenizer.json"))
    try folder.write("{}", "vocab.json")
    #expect(folder.refusal == "/merges.txt: there is no such file")
    unlink("\(folder.path)/vocab.json")
    try folder.write("#version: 0.2\n", "merges.txt")
    #expect(folder.refusal == "/vocab.json: there is no such file")
    #expect(throws: TokenizerError.self) { try Tokenizer(folder: "/no/such/folder") }
    #expect(throws: TokenizerError.self) { try Tokenizer(folder: "a\0b") }
  }

  @Test func whatIsNoRegularFileIsRefused() throws {
    let folder = try TokenizerTestFolder()
    mkdir("\(folder.path)/tokenizer.json", 0o700)
    #expect(folder.refusal == "/tokenizer.json: cannot be read: it is a folder")
    rmdir("\(folder.path)/tokenizer.json")
    mkfifo("\(folder.path)/tokenizer.json", 0o600)
    #expect(folder.refusal == "/tokenizer.json: cannot be read: it is a device, a pipe or a socket")
  }

  @Test func brokenJSONIsRefused() throws {
    for text in ["", "{", "[]", "{\"model\": 1}", "{\"model\": {}}", "nul", "{\"a\": 1, \"a\": 2}", "\u{FEFF}{}"] {
      #expect(try refusal(text).hasPrefix("/tokenizer.json: "), "\(text)")
    }
    let folder = try TokenizerTestFolder(["tokenizer.json": [0x7B, 0x22, 0xFF, 0x22, 0x7D]])
    #expect(folder.refusal.contains("not valid UTF-8"))
  }

  @Test func unknownPartsAreNamed() throws {
    #expect(
      try refusal(with: #""normalizer": {"type": "Shout"}"#)
        == #"/tokenizer.json: the normalizer "Shout" is not supported"#)
    #expect(
      try refusal(with: #""pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Cut"}]}"#)
        == #"/tokenizer.json: the pre-tokenizer "Cut" is not supported"#)
    #expect(
      try refusal(with: #""post_processor": {"type": "X\u001b[2J"}"#)
        == #"/tokenizer.json: the post-processor "X\u{1b}[2J" is not supported"#)
    #expect(
      try refusal(model: #"{"type": "WordLevel"}"#) == #"/tokenizer.json: the model "WordLevel" is not supported"#)
    #expect(
      try refusal(with: #""pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Removed"}"#)
        == #"/tokenizer.json: the regular expression "(a+)+$" of the pre-tokenizer is not supported"#)
    #expect(
      try refusal(with: #""pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Shuffled"}"#)
        == #"/tokenizer.json: the behavior "Shuffled" of the pre-tokenizer is not supported"#)
    #expect(
      try refusal(model: #"{"type": "BPE", "dropout": 0.1, "vocab": {"a": 0}, "merges": []}"#)
        == #"/tokenizer.json: "dropout" of the model "BPE" is not supported"#)
    #expect(try refusal(model: #"{"type": "Unigram", "unk_id": null, "vocab": [["a", 0]]}"#).contains("unk_id"))
    #expect(
      try refusal(with: #""post_processor": {"type": "TemplateProcessing", "single": [], "special_tokens": {}}"#)
        == #"/tokenizer.json: "single" of the post-processor "TemplateProcessing" is not a template with the text "A" once"#
    )
  }

  @Test func idsBeyondTheVocabularyAreRefused() throws {
    #expect(
      try refusal(with: #""post_processor": {"type": "RobertaProcessing", "cls": ["a", 0], "sep": ["b", 7]}"#)
        .hasPrefix("/tokenizer.json: the id 7 "))
    #expect(
      try refusal(with: #""added_tokens": [{"id": 9, "content": "x", "special": true}]"#)
        == #"/tokenizer.json: the added token "x" has the id 9, but its place in the vocabulary is 3"#)
    for id in ["-1", "99999999999", "1.5", "\"0\"", "1e300"] {
      #expect(try refusal(model: #"{"type": "BPE", "vocab": {"a": \#(id)}, "merges": []}"#) != "", "\(id)")
    }
    #expect(try refusal(model: #"{"type": "Unigram", "unk_id": 1, "vocab": [["a", 0]]}"#).contains("out of range"))
    #expect(try refusal(model: #"{"type": "Unigram", "unk_id": -1, "vocab": [["a", 0]]}"#).contains("out of range"))
    let folder = try TokenizerTestFolder(copying: ["vocab.json", "merges.txt"], of: Files.clip)
    try folder.write(#"{"added_tokens_decoder": {"4000": {"content": "<x>"}}}"#, "tokenizer_config.json")
    #expect(
      folder.refusal
        == #"/tokenizer_config.json: the token "<x>" has the id 4000, but its place in the vocabulary is 814"#)
  }

  @Test func mergesAndTokensThatTheVocabularyLacksAreRefused() throws {
    #expect(
      try refusal(model: #"{"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]]}"#)
        == #"/tokenizer.json: the token "ab" is missing from the vocabulary, but a merge needs it"#)
    #expect(
      try refusal(model: #"{"type": "BPE", "unk_token": "?", "vocab": {"a": 0}, "merges": []}"#)
        == #"/tokenizer.json: the token "?" is missing from the vocabulary, but the model needs it"#)
    for merges in ["[\"a\"]", "[\"a b c\"]", "[[\"a\"]]", "[1]", "{}"] {
      #expect(
        try refusal(model: #"{"type": "BPE", "vocab": {"a": 0}, "merges": \#(merges)}"#).contains("\"merges\""))
    }
    let folder = try TokenizerTestFolder(copying: ["vocab.json", "merges.txt"], of: Files.clip)
    try folder.write(#"{"eos_token": "<end>"}"#, "tokenizer_config.json")
    #expect(
      folder.refusal
        == #"/vocab.json: the token "<end>" is missing from the vocabulary, but the end of the text needs it"#)
  }

  @Test func otherTokenizersInTheSameFilesAreNotTakenForClipOrT5() throws {
    let clip = try TokenizerTestFolder(copying: ["vocab.json", "merges.txt"], of: Files.clip)
    try clip.write(#"{"tokenizer_class": "GPT2Tokenizer"}"#, "tokenizer_config.json")
    #expect(clip.refusal == #"/vocab.json: a vocab.json of the class "GPT2Tokenizer" is not supported"#)
    let t5 = try TokenizerTestFolder(copying: ["spiece.model"], of: Files.t5)
    try t5.write(#"{"tokenizer_class": "XLNetTokenizer"}"#, "tokenizer_config.json")
    #expect(t5.refusal == #"/spiece.model: a spiece.model of the class "XLNetTokenizer" is not supported"#)
  }

  @Test func aTokenizerCannotMakeATextGrowWithoutEnd() throws {
    let replace = #"{"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#
    let normalizers = Array(repeating: replace, count: 8).joined(separator: ",")
    #expect(
      try refusal(with: #""normalizer": {"type": "Sequence", "normalizers": [\#(normalizers)]}"#).contains("longer"))
    let bytes = Array(repeating: #"{"type": "ByteLevel", "add_prefix_space": false}"#, count: 9).joined(separator: ",")
    #expect(
      try refusal(with: #""pre_tokenizer": {"type": "Sequence", "pretokenizers": [\#(bytes)]}"#).contains("longer"))
    let many = Array(repeating: #"{"type": "Lowercase"}"#, count: 65).joined(separator: ",")
    #expect(
      try refusal(with: #""normalizer": {"type": "Sequence", "normalizers": [\#(many)]}"#).contains("more than 64"))
    let token = String(repeating: "a", count: 2000)
    #expect(try refusal(model: #"{"type": "BPE", "vocab": {"\#(token)": 0}, "merges": []}"#).contains("2000 bytes"))
  }

  @Test func aCutFileOfClipIsRefused() throws {
    let merges = try Files.bytes("\(Files.clip)/merges.txt")
    let folder = try TokenizerTestFolder(copying: ["vocab.json"], of: Files.clip)
    for count in stride(from: 0, to: merges.count - 400, by: 13) {
      try folder.write(Array(merges.prefix(count)), "merges.txt")
      #expect(folder.refusal != "", "\(count) bytes")
    }
    let vocabulary = try Files.bytes("\(Files.clip)/vocab.json")
    try folder.write(merges, "merges.txt")
    for count in stride(from: 0, to: vocabulary.count, by: 501) {
      try folder.write(Array(vocabulary.prefix(count)), "vocab.json")
      #expect(folder.refusal.hasPrefix("/vocab.json: is not valid JSON"), "\(count) bytes")
    }
  }

  @Test func aCutModelFileOfT5IsRefused() throws {
    let model = try Files.bytes("\(Files.t5)/spiece.model")
    let folder = try TokenizerTestFolder()
    let counts = Array(stride(from: 0, to: 8000, by: 7)) + Array(stride(from: 8000, to: model.count - 200, by: 9973))
    for count in counts {
      try folder.write(Array(model.prefix(count)), "spiece.model")
      #expect(folder.refusal.hasPrefix("/spiece.model: "), "\(count) bytes")
    }
  }

  @Test(arguments: ["clip", "t5", "spiece", "llama"])
  func filesWithFlippedBytesAreReadOrRefused(name: String) throws {
    let (source, files) = [
      "clip": (Files.clip, ["vocab.json", "merges.txt", "tokenizer_config.json"]),
      "t5": (Files.t5, ["tokenizer_config.json", "special_tokens_map.json", "spiece.model"]),
      "spiece": (Files.t5, ["spiece.model"]), "llama": (Files.llama, ["tokenizer.json", "tokenizer_config.json"]),
    ][name]!
    var random = Xorshift(state: 0x9E37_79B9_7F4A_7C15)
    let folder = try TokenizerTestFolder(copying: files, of: source)
    for _ in 0..<150 {
      let file = files[Int(random.next() % UInt64(files.count))]
      let original = try Files.bytes("\(source)/\(file)")
      var bytes = original
      for _ in 0..<1 + random.next() % 4 {
        // Half of the changes hit the beginning, where the structure of the model file is.
        let range = random.next() % 2 == 0 ? min(6000, bytes.count) : bytes.count
        bytes[Int(random.next() % UInt64(range))] = UInt8(truncatingIfNeeded: random.next())
      }
      try folder.write(bytes, file)
      if let tokenizer = try? Tokenizer(folder: folder.path) {
        let ids = tokenizer.encode("A photo of 東京 e\u{301} ﷺ \u{1F431}  <pad></s><|endoftext|>\r\n")
        #expect(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.idLimit })
      }
      try folder.write(original, file)
    }
  }

  /// A small generator of random numbers, the same on every run.
  struct Xorshift {
    var state: UInt64

    mutating func next() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
  }
}
