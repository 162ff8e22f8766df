import Glibc
import Synchronization

/// Memory of large tensors, used again: the system would clear every page of a new block, and the blocks of a model ask
/// for the same sizes over and over.
///
/// A block serves for its own size alone: what stays for long, as in a cache, must not take more than it needs. When none
/// is there, others that nobody asked for during many requests go back to the system, so that what a program holds follows
/// what it does. As long as all that is asked for is there, nothing goes, however seldom it is asked for.
package enum RecycledMemory {
  /// Smaller ones the allocator keeps by itself; when it is given back 64 KiB or more, that of glibc tidies up all it has.
  private static let fewestBytes = 32 << 10
  /// Several times the tensors that a full step makes where a worker has a few blocks of a transformer: what one kind of
  /// block asks for is still there in the next step, and what went is not missed soon.
  private static let requestsUntilStale = 1024
  /// Where pages are huge: two of them at least would fit.
  private static let hugeFrom = 8 << 20

  /// Unchecked: a block belongs to the list alone from its release until it is handed out.
  struct Block: @unchecked Sendable {
    let memory: UnsafeMutableRawBufferPointer
    let releasedAt: Int
  }

  /// What waits to be used again.
  struct Kept {
    /// The oldest first.
    fileprivate(set) var blocks: [Block] = []
    private var requests = 0

    mutating func put(_ memory: UnsafeMutableRawBufferPointer) {
      blocks.append(Block(memory: memory, releasedAt: requests))
    }

    /// A block of so many bytes, the newest: the most of it is still in the caches.
    mutating func take(_ bytes: Int) -> Block? {
      requests += 1
      return blocks.lastIndex { $0.memory.count == bytes }.map { blocks.remove(at: $0) }
    }

    /// Blocks that go for a new one of so many bytes.
    mutating func takeStale(for bytes: Int) -> ArraySlice<Block> {
      var (count, freed) = (0, 0)
      while count < blocks.count, freed < bytes, requests - blocks[count].releasedAt > requestsUntilStale {
        freed += blocks[count].memory.count
        count += 1
      }
      defer { blocks.removeFirst(count) }
      return blocks.prefix(count)
    }
  }

  private static let kept = Mutex(Kept())

  /// So many bytes, aligned to cache lines, in huge pages where they are many. They hold what they held.
  static func allocate(bytes: Int) -> UnsafeMutableRawBufferPointer {
    guard bytes >= fewestBytes else { return .allocate(byteCount: bytes, alignment: 64) }
    let (block, stale) = kept.withLock { kept in
      let block = kept.take(bytes)
      return (block, block == nil ? kept.takeStale(for: bytes) : [])
    }
    if let block { return block.memory }
    for block in stale { block.memory.deallocate() }
    guard bytes >= hugeFrom else { return .allocate(byteCount: bytes, alignment: 64) }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 2 << 20)
    madvise(memory.baseAddress, bytes, MADV_HUGEPAGE)
    return memory
  }

  /// Takes back what ``allocate(bytes:)`` gave.
  static func release(_ memory: UnsafeMutableRawBufferPointer) {
    guard memory.count >= fewestBytes else { return memory.deallocate() }
    kept.withLock { kept in kept.put(memory) }
  }

  /// Gives all that waits to be used again back to the system.
  package static func giveBack() {
    let blocks = kept.withLock { kept in
      defer { kept.blocks = [] }
      return kept.blocks
    }
    for block in blocks { block.memory.deallocate() }
  }
}
