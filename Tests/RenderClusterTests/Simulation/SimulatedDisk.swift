import Files
import Glibc
import Journaling

/// A disk that forgets what was not forced to it, and fails when told to.
final class SimulatedDisk: JournalStorage {
  private struct File {
    /// What is on the disk for certain.
    var durable: [UInt8]
    var pending: [(offset: Int, bytes: [UInt8])] = []

    var contents: [UInt8] {
      var bytes = durable
      for (offset, piece) in pending { Self.put(piece[...], at: offset, in: &bytes) }
      return bytes
    }

    static func put(_ piece: ArraySlice<UInt8>, at offset: Int, in bytes: inout [UInt8]) {
      if bytes.count < offset + piece.count {
        bytes += repeatElement(0, count: offset + piece.count - bytes.count)
      }
      bytes.replaceSubrange(offset..<offset + piece.count, with: piece)
    }
  }

  static let sector = 64

  let path = "disk"
  private var files: [String: File] = [:]
  /// There is no room but what files have already.
  var isFull = false
  /// The next file that is forced to the disk is not, and what it was forced for is lost.
  var failsNext = false
  /// So it is with all files.
  var failsAlways = false
  /// Failures are not told: a planted bug.
  var hidesFailures = false

  func names() -> [String] { files.keys.sorted() }

  func read(_ name: String) throws(FileFailure) -> [UInt8] {
    guard let file = files[name] else { throw .noSuchFile }
    return file.contents
  }

  func create(_ name: String, byteCount: Int) throws(FileFailure) {
    guard !isFull else { throw .diskFull }
    files[name] = File(durable: [UInt8](repeating: 0, count: byteCount))
  }

  func write(_ bytes: [UInt8], to name: String, at offset: Int) throws(FileFailure) {
    guard let file = files[name] else { throw .noSuchFile }
    guard !isFull || offset + bytes.count <= file.durable.count else { throw .diskFull }
    files[name]?.pending.append((offset, bytes))
  }

  func synchronise(_ name: String) throws(FileFailure) {
    guard let file = files[name] else { throw .noSuchFile }
    guard !failsNext, !failsAlways else {
      failsNext = false
      files[name]?.pending = []
      if hidesFailures { return }
      throw .system(EIO)
    }
    files[name] = File(durable: file.contents)
  }

  func rename(_ name: String, to newName: String) throws(FileFailure) {
    files[newName] = files.removeValue(forKey: name)
  }

  func remove(_ name: String) { files[name] = nil }

  /// The power fails: of what was not forced to the disk, sectors are there or not.
  func crash(_ random: inout SplitMix64) {
    failsNext = false
    for name in files.keys.sorted() {
      guard var file = files[name], !file.pending.isEmpty else { continue }
      let share = random.chance(0.5) ? 1.0 : 0.5
      for (offset, bytes) in file.pending where random.chance(share) {
        var start = 0
        while start < bytes.count {
          let end = min(bytes.count, (offset + start) / Self.sector * Self.sector + Self.sector - offset)
          if random.chance(share) { File.put(bytes[start..<end], at: offset + start, in: &file.durable) }
          start = end
        }
      }
      files[name] = File(durable: file.durable)
    }
  }

  /// As a disk is found by who starts now.
  var copy: SimulatedDisk {
    let copy = SimulatedDisk()
    copy.files = files.mapValues { File(durable: $0.contents) }
    return copy
  }
}
