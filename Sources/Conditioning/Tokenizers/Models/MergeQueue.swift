/// The merges that are possible in a word, lowest rank first and of equal ranks the leftmost: a binary heap.
///
/// With it, a word of n characters costs n log n, however hostile; looking for the best pair again after each merge would
/// cost n².
struct MergeQueue {
  struct Merge {
    var rank: Int32
    var position: Int32
    /// The token that the merge makes, by which outdated entries are recognized.
    var id: Int32

    fileprivate func precedes(_ other: Merge) -> Bool {
      rank != other.rank ? rank < other.rank : position < other.position
    }
  }

  private var heap: [Merge] = []

  mutating func push(_ merge: Merge) {
    heap.append(merge)
    var index = heap.count - 1
    while index > 0 {
      let parent = (index - 1) / 2
      guard merge.precedes(heap[parent]) else { break }
      heap[index] = heap[parent]
      index = parent
    }
    heap[index] = merge
  }

  mutating func pop() -> Merge? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first }
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(last) else { break }
      heap[index] = heap[child]
      index = child
    }
    heap[index] = last
    return first
  }
}
