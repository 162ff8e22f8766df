import StrictJSON
import Synchronization

/// The work of all stages in the format that Perfetto and Chrome show ("Trace Event Format"): a process a worker, a span a
/// step, so that the gaps in which a worker waits can be seen.
public final class ChromeTrace: Sendable {
  private struct State {
    var spans: [StageSpan] = []
    var dropped = 0
  }

  /// More would fill the memory of a coordinator that runs for months.
  public static let maximumSpans = 1_000_000

  private let state = Mutex(State())

  public init() {}

  public func add(_ span: StageSpan) {
    state.withLock { state in
      if state.spans.count < Self.maximumSpans { state.spans.append(span) } else { state.dropped += 1 }
    }
  }

  /// Times are microseconds from the first span on.
  public var json: JSONValue {
    let (spans, dropped) = state.withLock { ($0.spans, $0.dropped) }
    let origin = spans.map(\.start).min() ?? 0
    var names: [String] = []
    for span in spans where !names.contains(span.worker) { names.append(span.worker) }
    names.sort()
    var events: [JSONValue] = names.enumerated().map { index, name in
      ["name": "process_name", "ph": "M", "pid": .integer(index), "args": ["name": .string(name)]]
    }
    for span in spans {
      events.append([
        "name": .string("job \(span.sample.job) row \(span.sample.row) step \(span.step)"),
        "cat": span.isFull ? "full" : "cached", "ph": "X", "ts": .integer(Int(span.start - origin)),
        "dur": .integer(Int(span.microseconds)), "pid": .integer(names.firstIndex(of: span.worker) ?? 0),
        "tid": .integer(span.isFull ? 0 : 1),
        "args": [
          "job": .integer(Int(clamping: span.sample.job)), "row": .integer(Int(span.sample.row)),
          "step": .integer(Int(span.step)), "stage": .integer(Int(span.stage)), "kind": span.isFull ? "full" : "cached",
        ],
      ])
    }
    return ["displayTimeUnit": "ms", "dropped": .integer(dropped), "traceEvents": .array(events)]
  }
}
