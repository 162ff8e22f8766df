import Media
import StrictJSON

/// A PNG: its size and what it says about how it was made.
struct PictureReport: InspectionReport {
  let path: String
  let size: (width: Int, height: Int)
  let texts: [PNGText]
  /// The JSON of clusca; nil if there is none or it is damaged.
  let settings: JSONValue?
  let problems: [String]

  init(path: String) throws {
    let file = try PictureFile(path)
    self.path = path
    size = try file.size()
    texts = try file.texts()
    do throws(MediaError) {
      settings = try PictureMetadata(texts: texts).clusca
      problems = []
    } catch {
      settings = nil
      problems = ["\(path): \(error)"]
    }
  }

  private var parameters: String? { texts.first { $0.key == PictureMetadata.parametersKey }?.text }

  private var otherKeys: [String] {
    texts.map(\.key).filter { $0 != PictureMetadata.parametersKey && $0 != PictureMetadata.cluscaKey }
  }

  func lines(withTensors: Bool) -> [String] {
    var lines = ["\(path): PNG of \(size.width)x\(size.height)"]
    if let parameters {
      lines.append("parameters")
      // The lines apart, so that their breaks are not shown as control characters.
      lines += parameters.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
    }
    if let settings {
      lines.append("clusca")
      lines += settings.text(pretty: true).split(separator: "\n").map { "  \($0)" }
    }
    if !otherKeys.isEmpty { lines.append("other texts: \(otherKeys.joined(separator: ", "))") }
    if texts.isEmpty { lines.append("It does not say how it was made.") }
    return lines
  }

  func json(withTensors: Bool) -> JSONValue {
    [
      "kind": "png", "path": .string(path), "width": .integer(size.width), "height": .integer(size.height),
      "parameters": parameters.map(JSONValue.string) ?? .null, "clusca": settings ?? .null,
      "other_texts": .array(otherKeys.map(JSONValue.string)), "problems": .array(problems.map(JSONValue.string)),
    ]
  }
}
