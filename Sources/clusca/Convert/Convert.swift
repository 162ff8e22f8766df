import ArgumentParser
import Files
import Rendering
import Tensors
import TorchFiles

/// `clusca convert`: tensors of a file of torch as safetensors.
struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the tensors of a .pt, .pth or .bin file of torch as .safetensors.",
    discussion: """
      Nothing in the file is run: of its pickle the instructions that tensors need are read, and anything else is \
      refused. Tensors in dictionaries inside of one another get the names OUTER.INNER; --part takes those of one.
      """)

  @Argument(help: "The file that torch.save wrote.", completion: .file(extensions: ["pt", "pth", "bin", "ckpt"]))
  var input: String

  @Argument(help: "The .safetensors file to write.", completion: .file(extensions: ["safetensors"]))
  var output: String

  @Option(help: ArgumentHelp("Only the tensors inside this one, without its name, such as ema.", valueName: "name"))
  var part: String?

  @Flag(help: "The file is a DiT of its authors: write it under the names of diffusers, for the folder transformer.")
  var dit = false

  @Flag(help: "Replace a file that exists.")
  var force = false

  @Flag(name: .shortAndLong, help: "Say nothing but errors.")
  var quiet = false

  func validate() throws {
    guard output.lowercased().hasSuffix(".safetensors") else {
      throw ValidationError("\(output) is no name for the result, which must end in .safetensors")
    }
  }

  func run() throws {
    guard force || !Folder.isRegularFile(output) else {
      throw CommandFailure(.output, "\(output) exists; give another name, or --force to replace it.")
    }
    try AtomicFile.check(output, ifExists: .overwrite)
    let file = try TorchFile(path: input)
    var tensors = try part.map { try taken(file.tensors, from: $0) } ?? file.tensors
    if dit { tensors = try DiTOriginalNames.converted(tensors, path: input) }
    guard !tensors.isEmpty else { throw CommandFailure(.input, "\(input) holds no tensors.") }
    try SafetensorsWriter.write(tensors, metadata: ["format": "pt"], to: output)
    if !quiet {
      let bytes = tensors.reduce(0) { $0 + $1.byteCount }
      let others =
        file.otherValues > 0 ? "; \(file.otherValues) values that are no tensors were left out" : ""
      StandardError.write("\(output): \(tensors.count) tensors, \(ByteCount(bytes))\(others)")
    }
    try StandardOutput.write(output)
  }

  /// The tensors whose names begin with that of a part, without it.
  private func taken(_ tensors: [StoredTensor], from part: String) throws -> [StoredTensor] {
    let prefix = part + "."
    let taken = try tensors.filter { $0.name.hasPrefix(prefix) }.map {
      try $0.renamed(String($0.name.dropFirst(prefix.count)))
    }
    guard !taken.isEmpty else {
      let parts = Set(tensors.map { String($0.name.prefix { $0 != "." }) }).sorted().prefix(8)
      throw CommandFailure(
        .usage,
        "\(input) has no tensors in \(part.printable(limit: 60)); names begin with "
          + "\(parts.map { $0.printable(limit: 60) }.joined(separator: ", ")).")
    }
    return taken
  }
}
