/// A set of byte strings, each with an id, that finds all members a text has at some position.
///
/// The children of a node stand side by side in the order of their bytes, so that a step is a binary search.
struct ByteTrie: Sendable {
  private struct Node: Sendable {
    var firstChild: Int32 = 0
    var id: Int32 = -1
    var childCount: UInt16 = 0
    var byte: UInt8 = 0
  }

  private var nodes: [Node] = [Node()]
  /// The children of the root by their byte, 0 for none: half of all steps begin there.
  private var rootChildren = [Int32](repeating: 0, count: 256)
  let maximumLength: Int

  /// Of equal keys the last counts. Ids must not be negative.
  init(_ entries: [(key: [UInt8], id: Int32)]) {
    // Equal keys stay in their order: `sort` is stable.
    let sorted = entries.indices.sorted { left, right in
      entries[left].key.lexicographicallyPrecedes(entries[right].key)
    }
    maximumLength = entries.reduce(0) { max($0, $1.key.count) }
    nodes.reserveCapacity(entries.count * 2)

    /// The entries `begin..<end` of `sorted` share their first `depth` bytes, which lead to `node`.
    struct Group {
      var begin: Int
      var end: Int
      var depth: Int
      var node: Int
    }
    var groups = [Group(begin: 0, end: sorted.count, depth: 0, node: 0)]
    while let group = groups.popLast() {
      var begin = group.begin
      while begin < group.end, entries[sorted[begin]].key.count == group.depth {
        nodes[group.node].id = entries[sorted[begin]].id
        begin += 1
      }
      nodes[group.node].firstChild = Int32(nodes.count)
      while begin < group.end {
        let byte = entries[sorted[begin]].key[group.depth]
        var end = begin + 1
        while end < group.end, entries[sorted[end]].key[group.depth] == byte { end += 1 }
        groups.append(Group(begin: begin, end: end, depth: group.depth + 1, node: nodes.count))
        nodes.append(Node(byte: byte))
        nodes[group.node].childCount += 1
        begin = end
      }
    }
    let root = nodes[0]
    for child in root.firstChild..<root.firstChild + Int32(root.childCount) {
      rootChildren[Int(nodes[Int(child)].byte)] = child
    }
  }

  /// Calls `body` with the id and the end of each member that begins at `position`, shortest first.
  @inline(__always)
  func forEachPrefix(of text: ArraySlice<UInt8>, at position: Int, _ body: (_ id: Int32, _ end: Int) -> Void) {
    var node = 0
    var index = position
    while index < text.endIndex, let child = child(of: node, byte: text[index]) {
      node = child
      index += 1
      if nodes[node].id >= 0 { body(nodes[node].id, index) }
    }
  }

  /// The id of exactly this string.
  func id(of key: some Sequence<UInt8>) -> Int32? {
    var node = 0
    for byte in key {
      guard let child = child(of: node, byte: byte) else { return nil }
      node = child
    }
    return nodes[node].id >= 0 ? nodes[node].id : nil
  }

  func id(of key: String) -> Int32? { id(of: key.utf8) }

  @inline(__always)
  private func child(of node: Int, byte: UInt8) -> Int? {
    if node == 0 {
      let child = rootChildren[Int(byte)]
      return child == 0 ? nil : Int(child)
    }
    var low = Int(nodes[node].firstChild)
    var high = low + Int(nodes[node].childCount)
    while low < high {
      let middle = (low + high) / 2
      let label = nodes[middle].byte
      if label == byte { return middle }
      if label < byte { low = middle + 1 } else { high = middle }
    }
    return nil
  }
}
