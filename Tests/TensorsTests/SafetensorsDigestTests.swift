import Testing

@testable import Tensors

/// SHA-256 against the examples of NIST (FIPS 180-4 and its example file).
@Suite struct SafetensorsDigestTests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
  ])
  func shortMessagesHaveTheirPublishedDigests(message: String, digest: String) {
    #expect(SHA256.digest(of: Array(message.utf8)).description == digest)
  }

  @Test func aMillionLettersHaveTheirPublishedDigest() {
    var hash = SHA256()
    for _ in 0..<1000 { hash.update([UInt8](repeating: UInt8(ascii: "a"), count: 1000)) }
    #expect(
      hash.finalize().description == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func theInstructionsOfTheCPUGiveTheSame() {
    let message = (0..<2000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 3) }
    for length in Array(0..<200) + [1024, 1999, 2000] {
      var (fast, plain) = (SHA256(), SHA256(usesInstructions: false))
      fast.update(Array(message[..<length]))
      plain.update(Array(message[..<length]))
      #expect(fast.finalize() == plain.finalize())
    }
    var plain = SHA256(usesInstructions: false)
    plain.update(Array("abc".utf8))
    #expect(plain.finalize().description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test func aDigestIsReadFromItsText() {
    let digest = SHA256.digest(of: Array("abc".utf8))
    #expect(SHA256.Digest(digest.description) == digest)
    for text in [
      "", "ba78", digest.description.uppercased(), digest.description + "0", "g" + digest.description.dropFirst(),
    ] {
      #expect(SHA256.Digest(text) == nil)
    }
  }

  @Test func aMessageInPiecesHasTheDigestOfTheWhole() {
    let message = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    for length in [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 300] {
      let whole = SHA256.digest(of: Array(message[..<length]))
      for piece in [1, 3, 63, 64, 65] {
        var hash = SHA256()
        for begin in stride(from: 0, to: length, by: piece) {
          hash.update(Array(message[begin..<min(begin + piece, length)]))
        }
        #expect(hash.finalize() == whole)
      }
    }
  }
}
