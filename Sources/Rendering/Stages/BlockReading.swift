import Transformers

/// When the weights of blocks are read from files that are mapped, and when they are given back: one block ahead of the one
/// that computes.
///
/// Where not all fit into memory, the first ones stay and the others are dropped when they are done. All are used in turn, so
/// that a cache that drops what was not used for longest would drop just what is needed next, and read everything anew.
struct BlockReading {
  struct Advice: Equatable {
    enum Kind {
      case read
      case drop
    }

    let kind: Kind
    let block: Int
  }

  private let blocks: BlockRange
  /// The first that does not stay.
  private let firstDropped: Int
  /// Blocks that stay are read ahead once.
  private var known: Int
  /// Blocks that do not stay, and are in memory or on the way there.
  private var held: [Int] = []

  /// - Parameter residentBlocks: how many of the model's blocks, from its first on, stay; all if nil.
  init(blocks: BlockRange, residentBlocks: Int? = nil) {
    self.blocks = blocks
    firstDropped = residentBlocks.map { min(max($0, blocks.lowerBound), blocks.upperBound) } ?? blocks.upperBound
    known = blocks.lowerBound
  }

  /// - Parameter isFull: whether the step needs all weights; others need few, which are not read ahead.
  mutating func before(_ block: Int, isFull: Bool) -> [Advice] {
    // Those of another step that was given up, too.
    var advices = drop { [firstDropped] in $0 < block || $0 > block + 1 && $0 != firstDropped }
    if isFull {
      if block == blocks.lowerBound {
        advices += read(block)
        advices += read(firstDropped)
      }
      advices += read(block + 1)
    }
    if block >= firstDropped, !held.contains(block) { held.append(block) }
    return advices
  }

  mutating func afterStep() -> [Advice] { drop { _ in true } }

  private mutating func read(_ block: Int) -> [Advice] {
    guard blocks.contains(block) else { return [] }
    if block < firstDropped {
      guard block >= known else { return [] }
      known = block + 1
    } else {
      guard !held.contains(block) else { return [] }
      held.append(block)
    }
    return [Advice(kind: .read, block: block)]
  }

  private mutating func drop(_ isDone: (Int) -> Bool) -> [Advice] {
    let done = held.filter(isDone)
    held.removeAll(where: isDone)
    return done.map { Advice(kind: .drop, block: $0) }
  }
}
