import RenderCluster

@testable import Messaging
@testable import clusca

/// What operators of clusters write: who may connect, keys, addresses, workers.
enum EnrolmentTargets {
  static func allowList(_ bytes: [UInt8]) {
    let path = ScratchFolder.shared.file(bytes)
    guard let list = try? AllowListFile(path).read() else { return }
    demand(AllowList(list.entries) == list, "A list with entries that exclude one another")
    for entry in list.entries {
      demand(KeyFiles.isName(entry.name), "A name that is none")
      demand(PublicKey(entry.key.text) == entry.key, "A key changes when it is written")
      demand(list[entry.key, now: entry.notAfter ?? .max] == entry, "An entry is not found before its time is up")
      if let last = entry.notAfter { demand(list[entry.key, now: last + 1] == nil, "An entry is found for too long") }
    }
    guard let first = list.entries.first else { return }
    // The file is replaced, with a sync of it and of its folder.
    guard (try? AllowListFile(path).revoke(name: first.name)) == true, let rest = try? AllowListFile(path).read() else {
      fatalError("A name cannot be taken off a list")
    }
    demand(rest.entries == Array(list.entries.dropFirst()), "Another name is taken off a list")
  }

  /// A public or a secret file of keys.
  static func keys(_ bytes: [UInt8]) {
    let path = ScratchFolder.shared.file(bytes)
    if let (name, key) = try? KeyFiles.read(public: path) {
      demand(KeyFiles.isName(name) && PublicKey(key.text) == key, "A public key changes when it is written")
    }
    if let (name, keys) = try? KeyFiles.readNamed(secret: path) {
      demand(KeyFiles.isName(name) && SecretKey(keys.secretKey.text) != nil, "A secret key changes when it is written")
    }
  }

  static func endpoint(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let endpoint = try? Endpoint(text, allowAllInterfaces: true) else {
      demand((try? Endpoint(text)) == nil, "An address is refused that a stricter reader takes")
      return
    }
    demand(
      (try? Endpoint(endpoint.description, allowAllInterfaces: true)) == endpoint,
      "An address changes when it is written")
    if let strict = try? Endpoint(text) { demand(strict == endpoint, "An address is two") }
    if endpoint.isLocal, case .tcp = endpoint { demand((try? Endpoint(text)) != nil, "All interfaces are local") }
  }

  /// The workers of `clusca plan`, and a plan for those of them that a search takes little time for.
  static func workers(_ bytes: [UInt8]) {
    guard let file = try? WorkersFile(path: ScratchFolder.shared.file(bytes)) else { return }
    let blocks = (1...5).map {
      BlockCost(
        operations: $0 << 30, weightBytes: $0 << 20, cacheBytes: 1 << 16, stateBytes: 1 << 12,
        transitBytes: $0 < 5 ? 1 << 15 : 0)
    }
    let workers = Array(file.workers.prefix(6))
    guard case .success(let plans) = ReplicaPlanner.planning(blocks, workers, 3, 1 << 10) else { return }
    demand(!plans.isEmpty, "A plan of no pipelines")
    let busy = plans.flatMap { $0.stages.map(\.worker) }
    demand(Set(busy).count == busy.count, "A worker is in two stages")
    for plan in plans {
      demand(
        plan.stages.first?.blocks.lowerBound == 0 && plan.stages.last?.blocks.upperBound == 5,
        "A plan leaves blocks out")
      for (stage, next) in zip(plan.stages, plan.stages.dropFirst()) {
        demand(stage.blocks.upperBound == next.blocks.lowerBound, "A plan leaves blocks out")
      }
      for stage in plan.stages {
        let memory = workers.first { $0.name == stage.worker }?.memoryBytes ?? 0
        demand(stage.weightBytes + stage.cacheBytes + stage.transitBytes <= memory, "A stage does not fit")
      }
    }
  }
}
