import StrictJSON
import Tensors

@testable import clusca

/// Files that users bring.
enum FileTargets {
  /// A byte for the limits, then the document.
  static func json(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let limits = JSONLimits(maximumDepth: 16, acceptsNonFiniteNumbers: input.byte() & 1 == 1)
    guard let value = try? JSONValue(parsing: input.rest(), limits: limits) else { return }
    guard !limits.acceptsNonFiniteNumbers else { return }
    demand((try? JSONValue(parsing: value.text(), limits: limits)) == value, "A document changes when it is written")
  }

  /// The file without the length of its header: the header up to a zero byte, then the data.
  static func safetensors(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let header = input.part(upTo: 0)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    let file: SafetensorsFile
    do {
      file = try SafetensorsFile(path: ScratchFolder.shared.file(length + header + input.rest()))
    } catch {
      demand(!"\(error)".contains("\n"), "An error of two lines")
      return
    }
    for name in file.names {
      guard let tensor = file[name] else { fatalError("A tensor is not there") }
      demand(tensor.withBytes { $0.reduce(0) { $0 &+ Int($1) } } >= 0, "Bytes have no sum")
      _ = try? tensor.float32Values()
      _ = try? tensor.int64Values()
      if let rows = tensor.shape.first { _ = try? tensor.rows(rows / 2..<rows) }
    }
  }

  /// A byte for the format, then the list.
  static func prompts(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let formats: [PromptsFile.Format] = [.lines, .commaSeparated, .jsonLines]
    let format = formats[Int(input.byte()) % formats.count]
    guard let file = try? PromptsFile(name: "list", format: format, bytes: input.rest()) else { return }
    demand(!file.entries.isEmpty, "A list without entries")
    for entry in file.entries {
      demand(entry.prompt.utf8.count <= PromptEntry.maximumPromptBytes, "A prompt is too long")
      demand(entry.line > 0, "An entry without a line")
    }
  }
}
