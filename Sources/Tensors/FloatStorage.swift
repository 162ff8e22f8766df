import Glibc

/// Memory for float32 numbers, aligned to cache lines, in huge pages where it is large.
///
/// Unchecked: ``Tensor`` alone touches it, and changes only what it holds alone.
final class FloatStorage: @unchecked Sendable {
  let elements: UnsafeMutableBufferPointer<Float>

  var count: Int { elements.count }

  init(count: Int) {
    let bytes = max(count, 1) * MemoryLayout<Float>.stride
    let huge = bytes >= 8 << 20
    let alignment = huge ? 2 << 20 : 64
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: alignment)
    if huge { madvise(memory, bytes, MADV_HUGEPAGE) }
    elements = UnsafeMutableBufferPointer(start: memory.bindMemory(to: Float.self, capacity: count), count: count)
  }

  deinit {
    elements.baseAddress.map { UnsafeMutableRawPointer($0).deallocate() }
  }

  func copy() -> FloatStorage {
    let copy = FloatStorage(count: count)
    _ = copy.elements.update(fromContentsOf: elements)
    return copy
  }
}
