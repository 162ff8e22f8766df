import Files
import Foundation
import Journaling

/// A disk in memory that forgets, fills and fails as it is told.
final class MemoryStorage: JournalStorage {
  let path = "/memory"
  var files: [String: [UInt8]] = [:]
  var isFull = false
  var failsToSynchronise = false
  private(set) var synchronised: [String] = []

  func names() -> [String] { files.keys.sorted() }

  func read(_ name: String) throws(FileFailure) -> [UInt8] {
    guard let bytes = files[name] else { throw .noSuchFile }
    return bytes
  }

  func create(_ name: String, byteCount: Int) throws(FileFailure) {
    guard !isFull else { throw .diskFull }
    files[name] = [UInt8](repeating: 0, count: byteCount)
  }

  func write(_ bytes: [UInt8], to name: String, at offset: Int) throws(FileFailure) {
    guard var file = files[name] else { throw .noSuchFile }
    if file.count < offset + bytes.count {
      guard !isFull else { throw .diskFull }
      file += repeatElement(0, count: offset + bytes.count - file.count)
    }
    file.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    files[name] = file
  }

  func synchronise(_ name: String) throws(FileFailure) {
    guard !failsToSynchronise else { throw .system(EIO) }
    synchronised.append(name)
  }

  func rename(_ name: String, to newName: String) { files[newName] = files.removeValue(forKey: name) }
  func remove(_ name: String) { files[name] = nil }
}

/// Numbers of which a seed decides.
struct Numbers {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next(below bound: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state % UInt64(bound))
  }
}
