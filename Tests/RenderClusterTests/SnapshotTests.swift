import FeatureCaching
import Files
import Foundation
import Rendering
import StrictJSON
import Tensors
import Testing
import Transformers

@testable import Messaging
@testable import RenderCluster

/// Going on elsewhere from what caches kept, with the same bits.
@Suite struct SnapshotTests {
  @Test(arguments: [.flux, .dit, .hunyuanVideo] as [TinyModel.Family])
  func otherStagesGoOnFromEveryFullStepWithTheSameBits(family: TinyModel.Family) async throws {
    let model = try TinyModel(family)
    let blocks = try model.blockCount
    for cache in TinyModel.caches(family) + Self.orders(family) {
      let task = TinyModel.Task(cache: cache, steps: 10, isGuided: cache.method == .clusca)
      let expected = try await model.latents(task)
      for (step, kind) in try await model.kinds(task).enumerated() where kind.isFull && step > 0 {
        for (before, after) in [([2], [1]), ([1, 2], []), ([], [blocks - 1])] {
          let handover = try Handover(model, before: before, after: after, at: step)
          let latents = try await handover.latents(task)
          #expect(latents == expected, "\(cache.method) of order \(cache.maximumOrder), step \(step), \(before)")
        }
      }
    }
  }

  /// ClusCa and TaylorSeer with other orders than the usual, and ClusCa in half of the memory.
  private static func orders(_ family: TinyModel.Family) -> [CacheSettings] {
    func caches(_ method: CacheSettings.Method, _ precision: FeaturePrecision, _ orders: [Int]) -> [CacheSettings] {
      orders.map { order in
        var cache = TinyModel.caches(family).first { $0.method == method }!
        (cache.maximumOrder, cache.outputs, cache.differences) = (order, precision, precision)
        return cache
      }
    }
    return caches(.clusca, .float32, [0, 2, 3]) + caches(.taylorseer, .float32, [0, 2, 3])
      + caches(.clusca, .bfloat16, [1, 3])
  }

  /// What each of these leaves out is needed.
  @Test(arguments: ["everything", "centroids", "all orders but 0", "fresh tokens", "last full step"])
  func whatASnapshotLacksShows(_ lack: String) async throws {
    let model = try TinyModel(.flux)
    var cache = TinyModel.caches(.flux).first { $0.method == .clusca }!
    (cache.maximumOrder, cache.propagation) = (2, 0.5)
    let task = TinyModel.Task(cache: cache, steps: 12)
    let expected = try await model.latents(task)
    let kinds = try await model.kinds(task)
    let full = kinds.indices.filter { kinds[$0].isFull }
    let step = try #require(full.dropLast().last)
    let handover = try Handover(model, before: [2], after: [2], at: step) { snapshot in
      switch lack {
      case "everything": return CacheSnapshot()
      case "centroids":
        return CacheSnapshot(
          snapshot.entries.filter { !$0.name.hasPrefix("centroids") }, lastFullStep: snapshot.lastFullStep)
      case "all orders but 0":
        return CacheSnapshot(
          snapshot.entries.filter { !$0.name.hasSuffix(".1") }, lastFullStep: snapshot.lastFullStep)
      case "fresh tokens":
        return CacheSnapshot(
          snapshot.entries.filter { !$0.name.hasSuffix("mlp.0") && !$0.name.hasSuffix("mlp.1") },
          lastFullStep: snapshot.lastFullStep)
      default: return CacheSnapshot(snapshot.entries)
      }
    }
    #expect(try await handover.latents(task) != expected)
    #expect(try await Handover(model, before: [2], after: [2], at: step).latents(task) == expected)
  }

  // MARK: - On the wire

  @Test func aSnapshotArrivesAsItWasSent() throws {
    let entries = [
      CacheSnapshot.Entry(
        block: 4, name: "image.mlp.0", tensor: FeatureTensor(Tensor([1, 2.5, 3], shape: [1, 3]), in: .bfloat16)),
      .init(
        block: 4, name: "centroids.image", tensor: FeatureTensor(Tensor([4, .leastNonzeroMagnitude], shape: [2, 1]))),
      .init(block: 4, name: "image.mlp.1", tensor: FeatureTensor(Tensor([7, 8, 9], shape: [3, 1]))),
      .init(block: 1, name: "joint.whole.1", tensor: FeatureTensor(Tensor((0..<1025).map(Float.init), shape: [1025]))),
    ]
    let parcel = SnapshotParcel(CacheSnapshot(entries, lastFullStep: 7))
    #expect(parcel.tensors.map(\.block) == [1, 4])
    #expect(parcel.tensors.map(\.plan.shape) == [[2, 1024], [1, 1024]])
    let arrived = try Self.arrived(parcel)
    #expect(arrived.lastFullStep == 7)
    #expect(arrived.entries.map(\.name) == ["joint.whole.1", "centroids.image", "image.mlp.0", "image.mlp.1"])
    for (one, other) in zip(arrived.entries, CacheSnapshot(entries).entries) {
      #expect(one.block == other.block && one.tensor == other.tensor)
    }
    #expect(parcel.manifest.restricted(to: 2..<5).blocks.map(\.number) == [4])
  }

  @Test(arguments: [
    "", "[]", #"{"blocks": 3}"#, #"{"blocks": [{"block": -1, "tensors": []}]}"#, #"{"blocks": [{"tensors": []}]}"#,
    #"{"blocks": [{"block": 0, "tensors": [{"name": "a", "shape": [0]}]}]}"#,
    #"{"blocks": [{"block": 0, "tensors": [{"name": "a", "shape": [16777217]}]}]}"#,
    #"{"blocks": [{"block": 0, "tensors": [{"shape": [1]}]}]}"#,
    #"{"blocks": [{"block": 0, "tensors": [{"name": "a", "shape": [1], "type": "float64"}]}]}"#,
    #"{"blocks": [{"block": 0, "tensors": [{"name": "a", "shape": [1], "type": 32}]}]}"#,
    #"{"blocks": [{"block": 0, "tensors": []}]}"#,
    #"{"blocks": [{"block": 1, "tensors": [{"name": "a", "shape": [1]}]}, {"block": 0, "tensors": [{"name": "a", "shape": [1]}]}]}"#,
    #"{"blocks": [], "last_full_step": -1}"#,
  ])
  func whatNoSnapshotConsistsOfIsRefused(_ json: String) {
    #expect(throws: WireError.self) { try SnapshotManifest(Payload(json)) }
  }

  /// As programs wrote them that knew float32 alone.
  @Test func aTensorWithoutTypeIsInFloat32() throws {
    let manifest = try SnapshotManifest(
      Payload(#"{"blocks": [{"block": 0, "tensors": [{"name": "a", "shape": [2, 3]}]}]}"#))
    #expect(manifest.blocks[0].items == [.init(name: "a", shape: [2, 3], precision: .float32)])
  }

  // MARK: - On the disk

  private static func point() -> ResumePoint {
    let entries = [
      CacheSnapshot.Entry(block: 1, name: "image.mlp.0", tensor: FeatureTensor(Tensor([1, 2, 3], shape: [1, 3]))),
      .init(
        block: 3, name: "centroids.image", tensor: FeatureTensor(Tensor([4, .leastNonzeroMagnitude], shape: [2, 1]))),
    ]
    let parcel = SnapshotParcel(CacheSnapshot(entries, lastFullStep: 0))
    let clusters = [TokenStream.image: TokenClusters(labels: [0, 2, 1], count: 3)]
    return ResumePoint(
      step: 2, manifest: parcel.manifest,
      tensors: Dictionary(uniqueKeysWithValues: parcel.tensors.map { (UInt32($0.block), $0.payload) }),
      answers: [
        .init(output: Tensor([5, 6], shape: [2, 1]), clusters: clusters, signal: nil),
        .init(output: nil, clusters: [:], signal: 0.1),
      ])
  }

  private static let request = SHA256.digest(of: [1])

  @Test func aResumePointIsReadAsItWasWritten() async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/snapshots-\(UInt32.random(in: 0..<UInt32.max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (files, key, point) = (SnapshotFiles(folder: folder), SampleKey(job: 3, row: 1), Self.point())
    try await files.write(point, of: key, request: Self.request)
    try await files.write(point, of: SampleKey(job: 4, row: 0), request: Self.request)
    let read = try #require(await files.read(key, request: Self.request))
    #expect(read.step == 2 && read.manifest == point.manifest)
    #expect(read.tensors.mapValues(\.bytes) == point.tensors.mapValues(\.bytes))
    #expect(read.answers.map(\.output) == point.answers.map(\.output))
    #expect(read.answers.map(\.signal) == [nil, 0.1])
    #expect(read.answers.map(\.clusters) == point.answers.map(\.clusters))
    #expect(try await files.read(key, request: SHA256.digest(of: [2])) == nil)
    #expect(try await files.read(SampleKey(job: 3, row: 0), request: Self.request) == nil)
    files.remove(job: 3)
    await files.finish()
    #expect(try Folder.names(in: folder) == ["job-4-row-0.snapshot"])
  }

  @Test func aDamagedResumePointIsRefused() throws {
    let bytes = try Self.point().pieces(request: Self.request).flatMap(\.bytes)
    func read(_ bytes: [UInt8]) throws -> ResumePoint? {
      try bytes.withUnsafeBytes { try ResumePoint($0, request: Self.request) }
    }
    #expect(try read(bytes) != nil)
    for place in stride(from: 0, to: bytes.count, by: 97) {
      var changed = bytes
      changed[place] ^= 4
      #expect(throws: WireError.self) { try read(changed) }
      #expect(throws: WireError.self) { try read(Array(bytes.prefix(place))) }
    }
  }

  static func arrived(_ parcel: SnapshotParcel) throws -> CacheSnapshot {
    let manifest = try SnapshotManifest(parcel.manifest.payload)
    let tensors = parcel.tensors.compactMap { block, plan, payload in
      Tensor(TensorInbox.Arrival(plan: plan, fence: Fence(), payload: payload)).map { (block, $0) }
    }
    return CacheSnapshot(manifest, Dictionary(uniqueKeysWithValues: tensors))
  }
}

/// Stages that others take over from, with the snapshots of these alone, before a full step.
private actor Handover: StageTransport {
  private let model: TinyModel
  private var stages: [Stage]
  private let others: [Stage]
  private let step: Int
  private let change: @Sendable (CacheSnapshot) -> CacheSnapshot
  private var setups: [SampleSetup] = []
  private var handover: Task<Void, any Error>?

  /// - Parameters:
  ///   - before: where the blocks are cut, and `after`, where they are for those that take over.
  init(
    _ model: TinyModel, before: [Int], after: [Int], at step: Int,
    change: @escaping @Sendable (CacheSnapshot) -> CacheSnapshot = { $0 }
  ) throws {
    self.model = model
    self.step = step
    self.change = change
    (stages, others) = (try model.stages(before), try model.stages(after))
  }

  func latents(_ task: TinyModel.Task) async throws -> [Tensor] {
    var latents: [Tensor] = []
    for try await step in Denoiser(try model.denoising(task), over: self) { latents.append(step.latents) }
    return latents
  }

  func open(_ setup: SampleSetup) async throws {
    setups.append(setup)
    for stage in stages { try await stage.open(setup) }
  }

  func step(_ context: StepContext, latents: Tensor, probe: Probe?) async throws -> StepResult {
    // The samples come to it one by one, or at once.
    if context.index == step {
      let task = handover ?? Task { try await handOver() }
      handover = task
      try await task.value
    }
    return try await LocalTransport(stages).step(context, latents: latents, probe: probe)
  }

  private func handOver() async throws {
    for setup in setups {
      var parts: [CacheSnapshot] = []
      for stage in stages {
        parts.append(try SnapshotTests.arrived(SnapshotParcel(try await stage.snapshot(of: setup.id))))
      }
      let whole = change(
        CacheSnapshot(parts.flatMap(\.entries), lastFullStep: parts.compactMap(\.lastFullStep).first))
      for stage in others {
        try await stage.open(setup)
        let entries = whole.entries.filter { stage.blocks.contains($0.block) }
        try await stage.restore(CacheSnapshot(entries, lastFullStep: whole.lastFullStep), of: setup.id)
      }
    }
    stages = others
  }

  func measure(_ context: StepContext, latents: Tensor) async throws -> Float? {
    try await stages.first?.measure(context, .latents(latents))
  }

  func close(_ id: SampleID) async { for stage in stages { await stage.close(id) } }

  var cacheBytes: Int { 0 }
}
