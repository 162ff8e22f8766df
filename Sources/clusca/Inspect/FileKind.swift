import Glibc

/// What a file is, by its first bytes and its name, for messages.
enum FileKind {
  static let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  static func exists(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0
  }

  static func name(path: String, head: [UInt8]) -> String {
    let known: [([UInt8], String)] = [
      (Array("GGUF".utf8), "a GGUF file, which is not supported"),
      (
        Array("PK\u{3}\u{4}".utf8), "a zip file; if torch.save wrote it, clusca convert makes a .safetensors file of it"
      ),
      ([0x80, 0x02], "a pickle file, which could run code and is not read"),
      ([0xFF, 0xD8, 0xFF], "a JPEG picture"),
      (Array("RIFF".utf8), "a RIFF file, such as a WebP picture"),
      (Array("GIF8".utf8), "a GIF picture"),
    ]
    if head.isEmpty { return "an empty file" }
    if let match = known.first(where: { head.starts(with: $0.0) }) { return match.1 }
    let name = path.lowercased()
    if name.hasSuffix(".png") { return "no PNG, whatever its name says" }
    return "a file of an unknown kind"
  }
}
