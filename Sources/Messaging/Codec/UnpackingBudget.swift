import CMessages
import Glibc

/// Memory for protobuf-c that ends: all that is asked for while one header is unpacked counts, freed or not.
struct UnpackingBudget {
  private var remaining: Int

  init(bytes: Int) { remaining = bytes }

  /// Calls `body` with an allocator that draws on this budget; it is good only during the call.
  mutating func withAllocator<Value, Failure: Error>(
    _ body: (UnsafeMutablePointer<ProtobufCAllocator>) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    try withUnsafeMutablePointer(to: &self) { budget throws(Failure) in
      var allocator = ProtobufCAllocator(
        alloc: { budget, size in
          guard let budget = budget?.assumingMemoryBound(to: UnpackingBudget.self), size <= budget.pointee.remaining
          else { return nil }
          budget.pointee.remaining -= size
          return malloc(size)
        },
        free: { _, memory in free(memory) },
        allocator_data: UnsafeMutableRawPointer(budget))
      return try withUnsafeMutablePointer(to: &allocator, body)
    }
  }
}
