import Glibc

/// Bytes that are zero: pages that the system shares until somebody writes to them, which nobody may.
///
/// Unchecked: read-only from the beginning to the end.
final class ZeroPages: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  private let mappedBytes: Int

  /// - Returns: nil if the address space has no room.
  init?(byteCount: Int) {
    mappedBytes = max(byteCount, 1)
    let address = mmap(nil, mappedBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let address, address != MAP_FAILED else { return nil }
    bytes = UnsafeRawBufferPointer(start: address, count: byteCount)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), mappedBytes) }
}
