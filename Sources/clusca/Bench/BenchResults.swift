import Files
import Glibc
import Measuring
import Rendering
import StrictJSON

/// Everything that was measured, and its files.
struct BenchResults {
  let model: any RenderModel
  let policies: [BenchPolicy]
  /// By picture, then by policy, the reference first; each has its measurement.
  let entries: [[BenchEntry]]
  let summaries: [BenchSummary]
  let command: [String]
  let date: String
  let machine = MachineReport()

  init(_ run: BenchRun, command: [String]) {
    model = run.model
    policies = run.policies
    entries = run.entries
    self.command = command
    date = ListKeys.moment(Int(time(nil)))
    let measurements = run.policies.indices.map { policy in run.entries.compactMap { $0[policy].measurement } }
    summaries = zip(run.policies, measurements).map {
      BenchSummary($0, $1, reference: measurements.first ?? [])
    }
  }

  /// Two policies prompt by prompt: what the first has more than the second.
  struct Pair {
    let first: BenchSummary
    let second: BenchSummary

    var psnr: Sample { first.psnr.difference(to: second.psnr) }
    var ssim: Sample { first.ssim.difference(to: second.ssim) }
    var seconds: Sample { first.seconds.difference(to: second.seconds) }
  }

  /// All pairs, the reference left out.
  var pairs: [Pair] {
    let compared = Array(summaries.dropFirst())
    return compared.indices.flatMap { first in
      compared.indices.filter { $0 != first }.map { Pair(first: compared[first], second: compared[$0]) }
    }
  }

  func write(to folder: String) throws {
    for (name, text) in [
      ("results.csv", csv), ("results.json", JSONValue.object(json).text(pretty: true) + "\n"),
      ("report.html", try BenchReport(self).html),
    ] {
      try AtomicFile.write(text, to: "\(folder)/\(name)", ifExists: .overwrite, createFolders: true)
    }
  }

  var table: [[String]] { [BenchSummary.header] + summaries.map(\.row) }

  // MARK: - JSON

  var json: JSONObject {
    [
      "command": .array(command.map(JSONValue.string)), "date": .string(date), "family": .string(model.family),
      "model": .string(model.path), "machine": .object(machine.json), "prompts": .integer(entries.count),
      "policies": .array(summaries.map { .object($0.json) }),
      "differences": .array(
        pairs.map { pair in
          [
            "first": .string(pair.first.policy.name), "second": .string(pair.second.policy.name),
            "psnr_db": BenchSummary.json(pair.psnr), "ssim": BenchSummary.json(pair.ssim),
            "seconds": BenchSummary.json(pair.seconds),
          ]
        }),
      "pictures": .array(entries.flatMap { $0.compactMap(pictureJSON) }),
    ]
  }

  private func pictureJSON(_ entry: BenchEntry) -> JSONValue? {
    guard var json = entry.measurement?.json else { return nil }
    json["policy"] = .string(entry.policy.name)
    json["index"] = .integer(entry.index)
    json["picture"] = .string(entry.picturePath)
    json["speed_up"] = speedUp(entry).map(JSONValue.number) ?? .null
    json["settings"] = .object(entry.settings.json)
    return .object(json)
  }

  func speedUp(_ entry: BenchEntry) -> Double? {
    guard let reference = entries[entry.index][0].measurement, let measurement = entry.measurement else { return nil }
    return reference.seconds / measurement.seconds
  }

  // MARK: - CSV

  private static let columns = [
    "index", "prompt", "seed", "policy", "steps", "full_steps", "cached_steps", "seconds", "processor_seconds",
    "full_step_seconds", "cached_step_seconds", "speed_up", "flop", "cache_bytes", "peak_resident_bytes", "identical",
    "psnr_db", "ssim", "picture",
  ]

  /// RFC 4180, one line a picture.
  var csv: String {
    let rows = entries.flatMap { picture in picture.map(cells) }
    return ([Self.columns] + rows).map { row in row.map(Self.quoted).joined(separator: ",") + "\r\n" }.joined()
  }

  private func cells(_ entry: BenchEntry) -> [String] {
    let values = pictureJSON(entry)
    return Self.columns.map { column in
      switch column {
      case "prompt": entry.settings.title
      case "seed": "\(entry.settings.seed)"
      case "steps": "\(entry.settings.steps)"
      default: values?[column].map { $0 == .null ? "" : $0.string ?? $0.text() } ?? ""
      }
    }
  }

  private static func quoted(_ cell: String) -> String {
    guard cell.contains(where: { ",\"\n\r".contains($0) || $0 == "\r\n" }) else { return cell }
    return "\"" + cell.replacing("\"", with: "\"\"") + "\""
  }
}

extension PictureSettings {
  /// What the picture shows, in one text.
  var title: String {
    guard let pictureClass else { return prompt }
    return pictureClass.name.isEmpty ? pictureClass.label.map { "class \($0)" } ?? "no class" : pictureClass.name
  }
}
