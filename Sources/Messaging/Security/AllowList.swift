import Glibc

/// Whom a server serves: one line a key, `name role key [not-after]`.
///
/// Roles are worker, client, admin and observer. `not-after` is a day (2027-01-31, to its end, UTC) or a moment
/// (2027-01-31T12:00:00Z). Empty lines and lines that begin with `#` are comments. Names and keys stand once.
public struct AllowList: Sendable, Hashable {
  /// One line.
  public struct Entry: Sendable, Hashable {
    public var name: String
    public var role: Role
    public var key: PublicKey
    /// The last second, since 1970; nil: for ever.
    public var notAfter: Int?

    public init(name: String, role: Role, key: PublicKey, notAfter: Int? = nil) {
      self.name = name
      self.role = role
      self.key = key
      self.notAfter = notAfter
    }
  }

  /// In the order of the file.
  public private(set) var entries: [Entry] = []
  private var indices: [PublicKey: Int] = [:]

  public init() {}

  /// Nil if a name or key stands twice.
  public init?(_ entries: [Entry]) {
    for entry in entries { guard add(entry) else { return nil } }
  }

  /// - Throws: ``AllowListError`` for the first line that is wrong; a list that is half right is not used.
  public init(parsing text: String) throws(AllowListError) {
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      guard let entry = try Self.entry(line, number: index + 1) else { continue }
      guard add(entry) else { throw AllowListError(line: index + 1, "repeats a name or a key") }
    }
  }

  /// The entry of a key, unless it has run out at the second `now` since 1970.
  public subscript(key: PublicKey, now now: Int) -> Entry? {
    guard let index = indices[key] else { return nil }
    let entry = entries[index]
    return entry.notAfter.map { now <= $0 } ?? true ? entry : nil
  }

  private mutating func add(_ entry: Entry) -> Bool {
    guard indices[entry.key] == nil, !entries.contains(where: { $0.name == entry.name }) else { return false }
    indices[entry.key] = entries.count
    entries.append(entry)
    return true
  }

  /// The entry of a line; nil for a comment.
  static func entry(_ line: Substring, number: Int) throws(AllowListError) -> Entry? {
    let words = line.split(whereSeparator: \.isWhitespace)
    guard let first = words.first, !first.hasPrefix("#") else { return nil }
    guard words.count == 3 || words.count == 4 else { throw AllowListError(line: number, "is not name, role, key") }
    guard MessageText.isName(first) else { throw AllowListError(line: number, "begins with no name") }
    guard let role = Role(word: words[1]) else { throw AllowListError(line: number, "has an unknown role") }
    guard let key = PublicKey(words[2]) else { throw AllowListError(line: number, "has no key") }
    var notAfter: Int?
    if words.count == 4 {
      notAfter = Self.second(words[3])
      guard notAfter != nil else { throw AllowListError(line: number, "has no date of the form 2027-01-31") }
    }
    return Entry(name: String(first), role: role, key: key, notAfter: notAfter)
  }

  /// The last second of a day, or the second of a moment.
  static func second(_ text: some StringProtocol) -> Int? {
    let whole = text.utf8.count == 10 ? "\(text)T23:59:59Z" : String(text)
    let digits = Array(whole.utf8)
    guard digits.count == 20 else { return nil }
    for (byte, pattern) in zip(digits, "0000-00-00T00:00:00Z".utf8) {
      guard pattern == 0x30 ? (0x30...0x39).contains(byte) : byte == pattern else { return nil }
    }
    func number(_ range: Range<Int>) -> Int32 { digits[range].reduce(0) { $0 * 10 + Int32($1 - 0x30) } }
    var time = tm()
    time.tm_year = number(0..<4) - 1900
    time.tm_mon = number(5..<7) - 1
    time.tm_mday = number(8..<10)
    time.tm_hour = number(11..<13)
    time.tm_min = number(14..<16)
    time.tm_sec = number(17..<19)
    let given = time
    let second = timegm(&time)
    // 30 February would have become a day in March.
    guard time.tm_mon == given.tm_mon, time.tm_mday == given.tm_mday, time.tm_hour == given.tm_hour,
      time.tm_min == given.tm_min, time.tm_sec == given.tm_sec
    else { return nil }
    return second
  }
}

/// What is wrong with an allow-list.
public struct AllowListError: Error, Sendable, Hashable, CustomStringConvertible {
  /// From 1.
  public let line: Int
  public let reason: String

  init(line: Int, _ reason: String) {
    self.line = line
    self.reason = reason
  }

  public var description: String { "Line \(line) \(reason)" }
}
