/// The jobs that have not ended and are not paused, in a line for each client: which are next is found without looking at all
/// of them, however many there are. Their order is that of ``JobOrder``.
struct JobLines: Sendable, Equatable {
  /// Where a job stands.
  struct Place: Sendable, Hashable {
    let client: String
    let model: String
    let ticket: Ticket
  }

  /// In a line, higher priorities come first, then lower numbers.
  struct Ticket: Sendable, Hashable, Comparable {
    let priority: Int
    let job: UInt64

    static func < (left: Ticket, right: Ticket) -> Bool {
      (-left.priority, left.job) < (-right.priority, right.job)
    }
  }

  private struct Line: Sendable, Equatable {
    let client: String
    var all: [Ticket] = []
    /// Those of each model, by its name.
    var ofModel: [String: [Ticket]] = [:]
  }

  /// By client.
  private var lines: [Line] = []

  mutating func insert(_ place: Place) {
    let index = lines.partitioningIndex { $0.client >= place.client }
    if index == lines.count || lines[index].client != place.client {
      lines.insert(Line(client: place.client), at: index)
    }
    lines[index].all.insert(inOrder: place.ticket)
    lines[index].ofModel[place.model, default: []].insert(inOrder: place.ticket)
  }

  mutating func remove(_ place: Place) {
    let index = lines.partitioningIndex { $0.client >= place.client }
    guard index < lines.count, lines[index].client == place.client else { return }
    lines[index].all.remove(fromOrder: place.ticket)
    lines[index].ofModel[place.model]?.remove(fromOrder: place.ticket)
    if lines[index].ofModel[place.model]?.isEmpty == true { lines[index].ofModel[place.model] = nil }
    if lines[index].all.isEmpty { lines.remove(at: index) }
  }

  // MARK: - Turns

  /// The next jobs of each model.
  ///
  /// - Parameters:
  ///   - count: how many of each model, if there are so many.
  ///   - running: jobs that have had their turn and are not done. They are not among the next.
  /// - Returns: their numbers, in the order of their turns.
  func next(_ count: Int, beside running: [LedgerJob]) -> [UInt64] {
    var found: [Turn] = []
    for model in Set(lines.flatMap(\.ofModel.keys)).sorted() {
      var candidates = lines.compactMap { line in
        line.ofModel[model].map { Candidates($0[...], in: line, beside: running.filter { $0.client == line.client }) }
      }
      for _ in 0..<count {
        let first = candidates.indices.compactMap { place in candidates[place].turn.map { (turn: $0, place: place) } }
          .min { $0.turn < $1.turn }
        guard let first else { break }
        found.append(first.turn)
        candidates[first.place].drop()
      }
    }
    return found.sorted().map(\.ticket.job)
  }

  /// A job's turn among those of all clients.
  private struct Turn: Comparable {
    let ticket: Ticket
    /// Jobs of its client that come before it.
    let predecessors: Int

    static func < (left: Turn, right: Turn) -> Bool {
      (-left.ticket.priority, left.predecessors, left.ticket.job)
        < (-right.ticket.priority, right.predecessors, right.ticket.job)
    }
  }

  /// A client's jobs of a model, from the next one on.
  private struct Candidates {
    private var rest: ArraySlice<Ticket>
    private let line: [Ticket]
    private let running: Int
    /// Those of the running ones that are in the line.
    private let excepted: [Ticket]

    init(_ tickets: ArraySlice<Ticket>, in line: Line, beside running: [LedgerJob]) {
      rest = tickets
      self.line = line.all
      self.running = running.count
      excepted = running.compactMap { $0.place?.ticket }
      dropExcepted()
    }

    var turn: Turn? {
      rest.first.map { next in
        let before = line.partitioningIndex { $0 >= next } - excepted.count { $0 < next }
        return Turn(ticket: next, predecessors: running + before)
      }
    }

    mutating func drop() {
      rest.removeFirst()
      dropExcepted()
    }

    private mutating func dropExcepted() {
      while let next = rest.first, excepted.contains(next) { rest.removeFirst() }
    }
  }
}

extension LedgerJob {
  /// In the lines of those that wait or run; nil if it does neither.
  var place: JobLines.Place? {
    guard ending == nil, !isPaused else { return nil }
    return JobLines.Place(client: client, model: model, ticket: .init(priority: priority, job: id))
  }
}

extension [JobLines.Ticket] {
  fileprivate mutating func insert(inOrder ticket: Element) { insert(ticket, at: partitioningIndex { $0 >= ticket }) }

  fileprivate mutating func remove(fromOrder ticket: Element) {
    let place = partitioningIndex { $0 >= ticket }
    if place < count, self[place] == ticket { remove(at: place) }
  }
}
