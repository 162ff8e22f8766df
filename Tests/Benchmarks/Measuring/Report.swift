import Foundation
import Measuring
import StrictJSON
import Tensors

/// Where results go.
enum Report {
  static func note(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

  static func json(_ object: JSONObject) { print(JSONValue.object(object).text(pretty: true)) }

  /// What every result says about the machine.
  static var machine: JSONObject {
    [
      "processor": processor.map(JSONValue.string) ?? .null, "kernels": .string(ComputeBackEnd.instructionSet),
      "openblas": .string(ComputeBackEnd.openBLAS),
      "threads": .integer(ThreadPool.shared.threads),
    ]
  }

  /// The name that the processor's maker gave it.
  private static var processor: String? {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
    return lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last?
      .trimmingCharacters(in: .whitespaces)
  }

  /// Rows with their columns below one another: the first to the left, numbers to the right.
  static func table(_ rows: [[String]]) {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
    for row in rows {
      let cells = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + space : space + cell
      }
      note(cells.joined(separator: "  "))
    }
  }

  static func fixed(_ value: Double, _ digits: Int) -> String {
    value.isFinite ? String(format: "%.\(digits)f", value) : "–"
  }
}

extension Sample {
  /// The mean with its standard error.
  var meanJSON: JSONValue { ["mean": .number(mean), "standard_error": .number(standardError)] }

  func meanText(_ digits: Int) -> String {
    "\(Report.fixed(mean, digits)) ± \(Report.fixed(standardError, digits))"
  }

  /// Times: the least is what the machine can do, the median what it mostly did. Null if there are none.
  var timeJSON: JSONValue {
    values.isEmpty ? .null : ["minimum": .number(minimum), "median": .number(median)]
  }
}
