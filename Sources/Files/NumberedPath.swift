/// Names for files whose first choice is taken.
package enum NumberedPath {
  /// `x.png` itself for 0, then `x-1.png`, `x-2.png`, …; the number goes before the last extension of the last part.
  package static func path(_ path: String, number: Int) -> String {
    guard number > 0 else { return path }
    let nameStart = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path.utf8.index(after: $0) } ?? path.startIndex
    let name = path[nameStart...]
    // The dot of a hidden file such as `.x` begins a name, not an extension.
    guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot > name.startIndex else {
      return path + "-\(number)"
    }
    return path[..<dot] + "-\(number)" + path[dot...]
  }
}
