import StrictJSON
import Tensors

/// The classes that a model was trained on, with the names that `id2label` of a checkpoint gives them: synonyms with
/// commas between.
public struct ClassLabels: Sendable {
  public let count: Int
  private let names: [Int: [String]]

  public struct Unknown: Error, Sendable, CustomStringConvertible {
    public let description: String
  }

  /// Reads `id2label` of a `model_index.json`, if it is there.
  ///
  /// - Parameter count: the classes of the transformer.
  /// - Throws: `FileError` if it is no table of names.
  public init(_ index: PartConfiguration, count: Int) throws {
    self.count = count
    guard index.contains("id2label") else {
      names = [:]
      return
    }
    guard let table = index.json["id2label"]?.object else {
      throw index.error("id2label", "is no table of names")
    }
    var names: [Int: [String]] = [:]
    for (key, value) in table {
      guard let label = Int(key), (0..<count).contains(label), let text = value.string else {
        throw index.error("id2label", "has an entry that does not name one of the \(count) classes")
      }
      names[label] = Self.synonyms(text)
    }
    self.names = names
  }

  /// A class as it is shown, such as `tench, Tinca tinca`.
  public func name(of label: Int) -> String {
    names[label].map { $0.joined(separator: ", ") } ?? "class \(label)"
  }

  /// The class that a text means: its number, one of its names or all of them. Upper and lower case count only where
  /// they tell names apart.
  ///
  /// - Throws: ``Unknown`` for a text that means none or several.
  public func label(_ text: String) throws(Unknown) -> Int {
    let text = Self.trimmed(text)
    if let number = Int(text) {
      guard (0..<count).contains(number) else {
        throw Unknown(description: "there is no class \(number); the classes are 0 to \(count - 1)")
      }
      return number
    }
    let lowercased = text.lowercased()
    let exact = matches { $0 == text }
    let found = exact.isEmpty ? matches { $0.lowercased() == lowercased } : exact
    switch found.count {
    case 1: return found[0]
    case 0: throw Unknown(description: unknown(text))
    default:
      let list = found.prefix(8).map { "\($0) (\(name(of: $0)))" }.joined(separator: ", ")
      throw Unknown(description: "\"\(text)\" names several classes; give the number: \(list)")
    }
  }

  private func matches(_ isMeant: (String) -> Bool) -> [Int] {
    names.filter { label, names in names.contains(where: isMeant) || isMeant(name(of: label)) }.map(\.key).sorted()
  }

  private func unknown(_ text: String) -> String {
    let shown = text.count > 60 ? "\(text.prefix(60))…" : text
    guard !names.isEmpty else {
      return "\"\(shown)\" is no number of a class, 0 to \(count - 1); the checkpoint names none (id2label)"
    }
    let near = NearNames.nearest(to: text, among: Set(names.values.joined()))
    return "there is no class \"\(shown)\""
      + (near.isEmpty ? "; give a name from id2label or a number" : "; near are: \(near.joined(separator: ", "))")
  }

  private static func synonyms(_ text: String) -> [String] {
    text.split(separator: ",").map { trimmed(String($0)) }.filter { !$0.isEmpty }
  }

  private static func trimmed(_ text: String) -> String {
    let scalars = text.unicodeScalars.drop { $0.properties.isWhitespace }
    guard let last = scalars.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
    return String(scalars[...last])
  }
}
