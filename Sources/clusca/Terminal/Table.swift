/// Labels and values below one another, the values in one column.
enum Table {
  static func lines(_ rows: [(label: String, value: String)], indent: Int = 0) -> [String] {
    let width = rows.map(\.label.count).max() ?? 0
    return rows.map { row in
      let space = String(repeating: " ", count: width - row.label.count + 2)
      let line = String(repeating: " ", count: indent) + row.label + space + row.value
      return row.value.isEmpty ? String(line.prefix(indent + row.label.count)) : line
    }
  }
}
