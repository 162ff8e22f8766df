/// Names that a text with a typing error may have meant.
enum NearNames {
  private static let limit = 5
  /// Longer texts are no typing errors, and comparing them takes time.
  private static let maximumLength = 100

  /// The nearest first: those that hold the text, then those within some changes of a letter.
  static func nearest(to text: String, among names: Set<String>) -> [String] {
    let wanted = Array(text.lowercased())
    guard !wanted.isEmpty, wanted.count <= maximumLength else { return [] }
    let tolerance = max(2, wanted.count / 3)
    let rated = names.compactMap { name -> (rating: Int, name: String)? in
      let letters = Array(name.lowercased())
      if letters.count > wanted.count, wanted.count >= 3, name.lowercased().contains(String(wanted)) {
        return (0, name)
      }
      guard abs(letters.count - wanted.count) <= tolerance else { return nil }
      let distance = distance(wanted, letters)
      return distance <= tolerance ? (distance, name) : nil
    }
    return rated.sorted { ($0.rating, $0.name) < ($1.rating, $1.name) }.prefix(limit).map(\.name)
  }

  /// How many letters must be put in, taken out or replaced (Levenshtein).
  private static func distance(_ left: [Character], _ right: [Character]) -> Int {
    var row = Array(0...right.count)
    for (index, letter) in left.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for (column, other) in right.enumerated() {
        let replaced = diagonal + (letter == other ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
