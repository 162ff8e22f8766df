import StrictJSON
import Testing

@testable import Conditioning

/// The tokenizers of Tests/Fixtures/tokenizers/cases.json, whose make.py says how they were made.
@Suite struct TokenizerVariantTests {
  @Test func tokenizersWithAllKindsOfPartsGiveTheIdsOfTheFastTokenizers() throws {
    let document = try TokenizerTestFiles.json("\(TokenizerTestFiles.fixtures)/tokenizers/cases.json")
    let strings = try #require(document["strings"]?.array).map { try #require($0.string) }
    let cases = try #require(document["cases"]?.array)
    #expect(cases.count == 36)
    for json in cases {
      let name = try #require(json["name"]?.string)
      let folder = try TokenizerTestFolder()
      for (file, content) in try #require(json["files"]?.object) { try folder.write(content.text(), file) }
      for copy in try #require(json["copies"]?.array) {
        let path = try #require(copy.string)
        try folder.write(
          TokenizerTestFiles.bytes("\(TokenizerTestFiles.checkpoints)/flux-dev-tiny/\(path)"),
          String(path.split(separator: "/")[1]))
      }
      let tokenizer = try Tokenizer(folder: folder.path)
      for (index, text) in strings.enumerated() {
        let expected = try TokenizerTestFiles.ids(json["ids"]?[index])
        #expect(tokenizer.encode(text) == expected, "\(name): \(text.escaped(limit: 80))")
      }
    }
  }
}
