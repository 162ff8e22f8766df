/// Memory for float32 numbers, aligned to cache lines.
///
/// Unchecked: ``Tensor`` alone touches it, and changes only what it holds alone.
final class FloatStorage: @unchecked Sendable {
  let elements: UnsafeMutableBufferPointer<Float>

  var count: Int { elements.count }

  init(count: Int) {
    let memory = RecycledMemory.allocate(bytes: Self.bytes(count))
    elements = UnsafeMutableBufferPointer(start: memory.bindMemory(to: Float.self, capacity: count), count: count)
  }

  private static func bytes(_ count: Int) -> Int { max(count, 1) * MemoryLayout<Float>.stride }

  deinit {
    guard let start = elements.baseAddress else { return }
    RecycledMemory.release(start, bytes: Self.bytes(count))
  }

  func copy() -> FloatStorage {
    let copy = FloatStorage(count: count)
    _ = copy.elements.update(fromContentsOf: elements)
    return copy
  }
}
