import Synchronization

/// A line on the standard error that shows how far the steps of a picture have come; nothing if that is no terminal.
///
///     let progress = ProgressLine(picture: 2, of: 4, steps: 50)
///     defer { progress.clear() }
///     for … { progress.finishedStep(kind: "cached") }
final class ProgressLine: Sendable {
  private struct State {
    var progress: StepProgress
    var start: ContinuousClock.Instant
    var lastShown: ContinuousClock.Instant?
  }

  /// Redrawing more often would only cost time: a small model makes hundreds of steps a second.
  private static let interval = Duration.milliseconds(100)

  private let state: Mutex<State>
  private let isShown: Bool

  /// - Parameters:
  ///   - picture: The number of the picture, from 1.
  ///   - pictures: How many there will be.
  ///   - steps: The steps of each.
  ///   - isShown: `false` for `--quiet`.
  init(picture: Int = 1, of pictures: Int = 1, steps: Int, isShown: Bool = true) {
    state = Mutex(
      State(progress: StepProgress(picture: picture, pictures: pictures, steps: steps), start: .now, lastShown: nil))
    self.isShown = isShown && StandardError.isTerminal
    show(at: .now)
  }

  /// One more step has been done; `kind` is a word such as "full" or "cached", counted apart.
  func finishedStep(kind: String) {
    let now = ContinuousClock.now
    let isDue = state.withLock { state in
      state.progress.finishStep(kind: kind, elapsed: now - state.start)
      let isLast = state.progress.done == state.progress.steps
      return isLast || state.lastShown.map { now - $0 >= Self.interval } ?? true
    }
    if isDue { show(at: now) }
  }

  /// A note in the place of the bar for what has no steps, such as "decoding".
  func phase(_ name: String?) {
    state.withLock { $0.progress.phase = name }
    show(at: .now)
  }

  /// Takes the line away.
  func clear() {
    if isShown { StandardError.clearProgress() }
  }

  private func show(at now: ContinuousClock.Instant) {
    guard isShown else { return }
    let progress = state.withLock { state in
      state.lastShown = now
      return state.progress
    }
    // A character in the last column would make some terminals begin a new line.
    let line = progress.line(columns: StandardError.columns - 1, unicode: StandardError.showsUnicode)
    StandardError.show(progress: line, columns: line.unicodeScalars.count)
  }
}
