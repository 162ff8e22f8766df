import FeatureCaching
import Foundation
import Tensors
import Testing
import Transformers

@testable import RenderCluster

/// What orders have given, on the disk.
@Suite struct AnswerFileTests {
  private static let request = SHA256.digest(of: [1])
  private static let answers: [Coordinator.Answer] = [
    .init(
      output: Tensor([5, 6], shape: [2, 1]), clusters: [.image: TokenClusters(labels: [0, 2, 1], count: 3)], signal: nil
    ),
    .init(output: nil, clusters: [:], signal: 0.1),
    .init(output: Tensor([.leastNonzeroMagnitude, -7], shape: [1, 2]), clusters: [:], signal: nil),
  ]

  private static func isSame(_ one: [Coordinator.Answer], _ other: [Coordinator.Answer]) -> Bool {
    one.count == other.count
      && zip(one, other).allSatisfy {
        $0.output == $1.output && $0.clusters == $1.clusters && $0.signal == $1.signal
      }
  }

  private static func bytes(_ answers: [Coordinator.Answer]) -> Data {
    answers.enumerated().reduce(Data()) { $0 + AnswerFile.record($1.element, number: $1.offset, request) }
  }

  private static func read(_ bytes: Data, _ request: SHA256.Digest = request) -> [Coordinator.Answer] {
    bytes.withUnsafeBytes { AnswerFile.read($0, request).answers }
  }

  @Test func recordsAreReadUpToTheFirstThatIsDamaged() {
    let bytes = Self.bytes(Self.answers)
    let lengths = Self.answers.indices.map { Self.bytes(Array(Self.answers.prefix($0 + 1))).count }
    #expect(Self.isSame(Self.read(bytes), Self.answers))
    for place in stride(from: 0, to: bytes.count, by: 7) {
      let sound = lengths.count { $0 <= place }
      var changed = bytes
      changed[place] ^= 4
      #expect(Self.isSame(Self.read(changed), Array(Self.answers.prefix(sound))))
      #expect(Self.isSame(Self.read(bytes.prefix(place)), Array(Self.answers.prefix(sound))))
    }
  }

  @Test func recordsOfAnotherRequestOrInAnotherOrderAreNotRead() {
    #expect(Self.read(Self.bytes(Self.answers), SHA256.digest(of: [2])).isEmpty)
    let second = AnswerFile.record(Self.answers[1], number: 1, Self.request)
    #expect(Self.read(second).isEmpty)
  }

  @Test func aFileGoesOnBehindItsLastWholeRecord() async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/answers-\(UInt32.random(in: 0..<UInt32.max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (files, key) = (SnapshotFiles(folder: folder), SampleKey(job: 3, row: 1))
    let path = "\(folder)/job-3-row-1.answers"
    func open(knowing known: [Coordinator.Answer] = []) async throws -> (AnswerFile, [Coordinator.Answer]) {
      let file = files.answers(of: key, request: Self.request)
      return (file, try await file.open(knowing: known))
    }
    func append(_ answer: Coordinator.Answer, to file: AnswerFile) async {
      await withCheckedContinuation { done in
        file.append(answer) { error in
          #expect(error == nil)
          done.resume()
        }
      }
    }
    let (first, none) = try await open()
    #expect(none.isEmpty)
    for answer in Self.answers { await append(answer, to: first) }
    #expect(try Self.isSame(await open().1, Self.answers))
    // As a machine without power leaves it.
    let torn = try Data(contentsOf: URL(filePath: path)).dropLast(3)
    try torn.write(to: URL(filePath: path))
    let (second, two) = try await open()
    #expect(Self.isSame(two, Array(Self.answers.prefix(2))))
    await append(Self.answers[2], to: second)
    #expect(try Self.isSame(await open().1, Self.answers))
    // A snapshot knows more than a file that is gone.
    try FileManager.default.removeItem(atPath: path)
    #expect(try Self.isSame(await open(knowing: Self.answers).1, Self.answers))
    #expect(try Data(contentsOf: URL(filePath: path)) == Self.bytes(Self.answers))
    files.remove(job: 3)
    await files.finish()
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
