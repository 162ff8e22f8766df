import Glibc
import Synchronization

/// Memory of large tensors, used again: the system would clear every page of a new block, and the blocks of a model ask
/// for the same sizes over and over.
///
/// A block that nobody asked for during so many requests goes back to the system, so that what a program holds follows
/// what it does: the tensors of a transformer do not stay while pictures are decoded.
package enum RecycledMemory {
  /// Smaller ones the allocator keeps by itself; when it is given back 64 KiB or more, that of glibc tidies up all it has.
  private static let fewestBytes = 32 << 10
  /// Several times the tensors that a block of a transformer makes.
  private static let requestsUntilFreed = 128
  /// Where pages are huge: two of them at least would fit.
  private static let hugeFrom = 8 << 20

  /// Unchecked: a block belongs to the list alone from its release until it is handed out.
  private struct Block: @unchecked Sendable {
    let memory: UnsafeMutableRawPointer
    let bytes: Int
  }

  private struct Kept {
    /// The oldest first.
    var blocks: [(block: Block, releasedAt: Int)] = []
    var requests = 0
  }

  private static let kept = Mutex(Kept())

  /// Memory aligned to cache lines, in huge pages where it is large. It holds what it held.
  static func allocate(bytes: Int) -> UnsafeMutableRawPointer {
    if bytes >= fewestBytes, let block = reused(bytes) { return block }
    guard bytes >= hugeFrom else { return .allocate(byteCount: bytes, alignment: 64) }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 2 << 20)
    madvise(memory, bytes, MADV_HUGEPAGE)
    return memory
  }

  private static func reused(_ bytes: Int) -> UnsafeMutableRawPointer? {
    kept.withLock { kept -> Block? in
      kept.requests += 1
      // The newest: the most of it is still in the caches.
      guard let index = kept.blocks.lastIndex(where: { $0.block.bytes == bytes }) else { return nil }
      return kept.blocks.remove(at: index).block
    }?.memory
  }

  /// Whether a block of that size waits to be used again.
  static func keeps(bytes: Int) -> Bool {
    kept.withLock { kept in kept.blocks.contains { $0.block.bytes == bytes } }
  }

  /// Gives all that waits to be used again back to the system.
  package static func giveBack() {
    let blocks = kept.withLock { kept in
      defer { kept.blocks = [] }
      return kept.blocks
    }
    for (block, _) in blocks { block.memory.deallocate() }
  }

  /// Takes back what ``allocate(bytes:)`` gave for as many bytes.
  static func release(_ memory: UnsafeMutableRawPointer, bytes: Int) {
    guard bytes >= fewestBytes else { return memory.deallocate() }
    let block = Block(memory: memory, bytes: bytes)
    let stale = kept.withLock { kept in
      kept.blocks.append((block, kept.requests))
      let count = kept.blocks.prefix { $0.releasedAt < kept.requests - requestsUntilFreed }.count
      defer { kept.blocks.removeFirst(count) }
      return kept.blocks.prefix(count).map(\.block)
    }
    for block in stale { block.memory.deallocate() }
  }
}
