import Files
import Media
import StrictJSON

/// A list of pictures to make.
///
/// - `.txt`, a name without ending, and `-` for the standard input: one prompt a line. Empty lines and lines that begin
///   with `#` are left out; `\#` begins a prompt that begins with `#`.
/// - `.csv`: RFC 4180, the first line names the columns (``PromptKey``). An empty cell sets nothing.
/// - `.jsonl` or `.ndjson`: one object a line with the same names. `null` sets nothing.
///
/// All are UTF-8, with or without a byte order mark. What is not understood is refused with file and line, never skipped.
struct PromptsFile: Sendable, Equatable {
  static let maximumBytes = 64 << 20

  enum Format: Sendable, Equatable {
    case lines
    case commaSeparated
    case jsonLines
  }

  /// The path, or "standard input"; for messages.
  let name: String
  let entries: [PromptEntry]

  /// Reads the file of that path, or the standard input for `-`.
  init(path: String) throws {
    if path == "-" {
      let bytes = try StandardInput.read(maximumBytes: Self.maximumBytes)
      try self.init(name: "standard input", format: .lines, bytes: bytes)
    } else {
      let format = try Self.format(of: path)
      try self.init(
        name: path, format: format, bytes: try InputFile.read(path, maximumBytes: Self.maximumBytes))
    }
  }

  init(name: String, format: Format, bytes: [UInt8]) throws(CommandFailure) {
    let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
    let source = PromptsSource(name: name, bytes: bytes)
    let entries =
      switch format {
      case .lines: try source.entriesOfLines()
      case .commaSeparated: try source.entriesOfCommaSeparatedValues()
      case .jsonLines: try source.entriesOfJSONLines()
      }
    guard !entries.isEmpty else { throw CommandFailure(.input, "\(name) holds no prompts.") }
    self.name = name
    self.entries = entries
  }

  static func format(of path: String) throws(CommandFailure) -> Format {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return .lines }
    switch name[dot...].lowercased() {
    case ".txt": return .lines
    case ".csv": return .commaSeparated
    case ".jsonl", ".ndjson": return .jsonLines
    default:
      throw CommandFailure(
        .input, "\(path): prompts are read from .txt, .csv and .jsonl files, not from \(name[dot...]) files.")
    }
  }

  /// The place of each picture. An entry's own `output` counts before `pattern`; the names differ from one another.
  ///
  /// - Parameter seeds: The seed of each entry, in their order.
  func paths(pattern: OutputPattern, seeds: [Int], firstIndex: Int = 0) throws -> [String] {
    precondition(seeds.count == entries.count, "one seed an entry")
    let general = pattern.paths(seeds: seeds, firstIndex: firstIndex)
    var lines: [String: Int] = [:]
    var paths: [String] = []
    for (index, entry) in entries.enumerated() {
      var path = general[index]
      if let output = entry.output {
        do throws(MediaError) {
          path = try OutputPattern(output).path(index: firstIndex + index, seed: seeds[index])
        } catch {
          throw CommandFailure(.input, "\(name), line \(entry.line): \(error)")
        }
      }
      if let first = lines.updateValue(entry.line, forKey: path) {
        throw CommandFailure(
          .input, "\(name), line \(entry.line): its picture would be \(path), which is that of line \(first).")
      }
      paths.append(path)
    }
    return paths
  }
}
