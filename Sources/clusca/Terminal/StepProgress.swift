/// How far a picture has come, and the line that says so:
///
///     picture 2/4:  36%|███▌      | 10/28 [01:12<02:10, 7.20s/it, 4 full, 6 cached]
struct StepProgress: Sendable {
  var picture: Int
  var pictures: Int
  var steps: Int
  var phase: String?
  private(set) var done = 0
  private(set) var elapsed = Duration.zero
  /// In the order in which they were first seen.
  private(set) var kinds: [(name: String, count: Int)] = []

  init(picture: Int = 1, pictures: Int = 1, steps: Int) {
    self.picture = picture
    self.pictures = pictures
    self.steps = steps
  }

  mutating func finishStep(kind: String, elapsed: Duration) {
    done += 1
    self.elapsed = elapsed
    if let index = kinds.firstIndex(where: { $0.name == kind }) {
      kinds[index].count += 1
    } else {
      kinds.append((kind, 1))
    }
  }

  /// The line in at most `columns` columns. What a narrow terminal has no room for goes in this order: the bar, the kinds
  /// of steps, the times, the number of the picture.
  func line(columns: Int, unicode: Bool) -> String {
    let which = pictures > 1 ? "picture \(picture)/\(pictures): " : ""
    let count = "\(done)/\(steps)"
    if let phase { return String((which + "\(count), \(phase)").prefix(max(0, columns))) }
    let share = steps > 0 ? min(1, Double(done) / Double(steps)) : 1
    let number = String(Int(share * 100))
    let percent = String(repeating: " ", count: max(0, 3 - number.count)) + number + "%"

    let names = kinds.map { "\($0.count) \($0.name)" }
    let tails = [" [\(([times] + names).joined(separator: ", "))]", " [\(times)]"]
    let room = columns - "\(which)\(percent)|| \(count)\(tails[0])".count
    if room >= 4 {
      let bar = Self.bar(share, columns: min(room, 40), unicode: unicode)
      return "\(which)\(percent)|\(bar)| \(count)\(tails[0])"
    }
    let shorter =
      tails.map { "\(which)\(percent) \(count)\($0)" } + ["\(which)\(percent) \(count)", "\(percent) \(count)"]
    return shorter.first { $0.count <= columns } ?? String(count.prefix(max(0, columns)))
  }

  /// Time gone, time left by the mean of the steps so far, and the rate.
  private var times: String {
    guard done > 0, elapsed > .zero else { return "\(Self.clock(0))<?, ?s/it" }
    let seconds = elapsed / .seconds(1)
    let mean = seconds / Double(done)
    let left = mean * Double(max(0, steps - done))
    let rate = mean >= 1 ? DecimalText.fixed(mean, digits: 2) + "s/it" : DecimalText.fixed(1 / mean, digits: 2) + "it/s"
    return "\(Self.clock(seconds))<\(Self.clock(left)), \(rate)"
  }

  /// `mm:ss`, from an hour on `h:mm:ss`.
  static func clock(_ seconds: Double) -> String {
    let whole = Int(min(seconds.rounded(), 1e9))
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
    let minutes = two(whole / 60 % 60) + ":" + two(whole % 60)
    return whole < 3600 ? minutes : "\(whole / 3600):" + minutes
  }

  private static func bar(_ share: Double, columns: Int, unicode: Bool) -> String {
    let eighths = Int(share * Double(columns * 8))
    let full = unicode ? eighths / 8 : Int(share * Double(columns))
    var bar = String(repeating: unicode ? "█" : "#", count: full)
    if unicode, eighths % 8 > 0 { bar.unicodeScalars.append(Unicode.Scalar(0x2590 - UInt32(eighths % 8))!) }
    return bar + String(repeating: " ", count: columns - bar.unicodeScalars.count)
  }
}
