import ArgumentParser
import Files
import Glibc
import Messaging
import StrictJSON

/// `clusca keys list`
struct ListKeys: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists who is allowed, and the keys whose secret half is here.")

  @OptionGroup var options: AllowListOptions

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let list = try options.path()
    // Nobody is allowed where there is no list yet, unless one was named.
    let entries =
      options.allowList != nil || Folder.isRegularFile(list) ? try AllowListFile(list).read().entries : []
    let own =
      options.allowList == nil || options.folderOptions.folder != nil
      ? try options.folderOptions.keyFolder().names() : []
    if json { return try StandardOutput.write(JSONValue.object(object(list, entries, own)).text(pretty: true)) }
    var lines = ["allowed by \(list):" + (entries.isEmpty ? " nobody" : "")]
    lines += ColumnTable.lines(
      entries.map { entry in
        [entry.name, entry.role.word, entry.key.text, entry.notAfter.map { Self.validity($0) } ?? ""]
      }, indent: 2)
    if !own.isEmpty { lines.append("own keys: \(own.joined(separator: ", "))") }
    try StandardOutput.write(lines.map(\.withControlsShown).joined(separator: "\n"))
  }

  private func object(_ list: String, _ entries: [AllowList.Entry], _ own: [String]) -> JSONObject {
    [
      "allow_list": .string(list),
      "allowed": .array(
        entries.map { entry in
          [
            "name": .string(entry.name), "role": .string(entry.role.word), "key": .string(entry.key.text),
            "not_after": entry.notAfter.map { .string(Self.moment($0)) } ?? .null,
          ]
        }),
      "own_keys": .array(own.map(JSONValue.string)),
    ]
  }

  private static func validity(_ second: Int) -> String {
    (second < time(nil) ? "ran out at " : "until ") + moment(second)
  }

  /// Such as 2027-01-31T23:59:59Z.
  static func moment(_ second: Int) -> String {
    var (seconds, parts) = (time_t(second), tm())
    gmtime_r(&seconds, &parts)
    func digits(_ value: Int32, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let day = [digits(parts.tm_year + 1900, 4), digits(parts.tm_mon + 1, 2), digits(parts.tm_mday, 2)]
    let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits($0, 2) }
    return "\(day.joined(separator: "-"))T\(time.joined(separator: ":"))Z"
  }
}
