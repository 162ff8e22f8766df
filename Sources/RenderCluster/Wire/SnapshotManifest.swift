import FeatureCaching
import Messaging
import StrictJSON
import Tensors

/// What a snapshot consists of: the JSON in the payload of `snapshot`. The numbers travel as one tensor a block, all of its
/// tensors one after another, under a fence whose stage is the number of the block: where the blocks are cut into stages may
/// be another place when they come back.
public struct SnapshotManifest: Sendable, Equatable {
  struct Item: Sendable, Equatable {
    let name: String
    let shape: [Int]

    var count: Int { shape.reduce(1, *) }
  }

  struct Block: Sendable, Equatable {
    let number: Int
    let items: [Item]

    private static let columns = 1024

    /// Of the tensor that holds all: rows of a size that suits any count, zeros at the end.
    var plan: TensorPlan? {
      let count = items.reduce(0) { $0 + $1.count }
      return TensorPlan(.state, .float32, shape: [(count + Self.columns - 1) / Self.columns, Self.columns])
    }
  }

  /// By which a block is rounded up at most, and what may be in it beside outputs of its branches.
  static let roundingBytes = 1 << 20

  /// Those that have tensors, in their order.
  var blocks: [Block] = []
  var lastFullStep: Int?

  /// Those of some blocks alone.
  func restricted(to range: Range<Int>) -> SnapshotManifest {
    SnapshotManifest(blocks: blocks.filter { range.contains($0.number) }, lastFullStep: lastFullStep)
  }

  /// With those of other blocks.
  func joined(with other: SnapshotManifest) -> SnapshotManifest {
    SnapshotManifest(
      blocks: (blocks + other.blocks).sorted { $0.number < $1.number }, lastFullStep: lastFullStep ?? other.lastFullStep
    )
  }

  var byteCount: Int { blocks.reduce(0) { $0 + ($1.plan?.byteCount ?? 0) } }
}

extension SnapshotManifest {
  var payload: Payload {
    let blocks = blocks.map { block in
      let items = block.items.map { item in
        ["name": .string(item.name), "shape": .array(item.shape.map(JSONValue.integer))] as JSONValue
      }
      return ["block": .integer(block.number), "tensors": .array(items)] as JSONValue
    }
    let json: JSONObject = [
      "blocks": .array(blocks), "last_full_step": lastFullStep.map(JSONValue.integer) ?? .null,
    ]
    return Payload(JSONValue.object(json).text())
  }

  /// - Throws: ``WireError`` for anything but what ``payload`` makes.
  init(_ payload: Payload) throws {
    let json = try JSONValue(payload, of: "a snapshot")
    guard let blocks = json["blocks"]?.array else { throw WireError("A snapshot names no blocks") }
    self.blocks = try blocks.map { try Block($0) }
    guard zip(self.blocks, self.blocks.dropFirst()).allSatisfy({ $0.number < $1.number }) else {
      throw WireError("The blocks of a snapshot are not in their order")
    }
    lastFullStep = json["last_full_step"]?.int
    guard lastFullStep ?? 0 >= 0 else { throw WireError("A snapshot comes of a step below the first") }
  }
}

extension SnapshotManifest.Block {
  fileprivate init(_ json: JSONValue) throws {
    guard let number = json["block"]?.int, number >= 0, let tensors = json["tensors"]?.array else {
      throw WireError("A snapshot has a block without number or tensors")
    }
    self.number = number
    items = try tensors.map { tensor in
      guard let name = tensor["name"]?.string, let shape = tensor["shape"]?.array?.compactMap(\.int),
        // None that could not travel by itself.
        TensorPlan(.state, .float32, shape: shape) != nil
      else { throw WireError("A snapshot has a tensor without name or shape in its block \(number)") }
      return .init(name: name, shape: shape)
    }
    guard plan != nil else { throw WireError("The block \(number) of a snapshot has no size that travels") }
  }
}

/// A snapshot as it travels.
struct SnapshotParcel: Sendable {
  let manifest: SnapshotManifest
  /// By the numbers of the blocks.
  let tensors: [(block: Int, plan: TensorPlan, payload: Payload)]

  /// Copies the numbers, so that the cache may change its own in place.
  init(_ snapshot: CacheSnapshot) {
    var manifest = SnapshotManifest(lastFullStep: snapshot.lastFullStep)
    var tensors: [(block: Int, plan: TensorPlan, payload: Payload)] = []
    let blocks = Dictionary(grouping: snapshot.entries.filter { $0.tensor.count > 0 }, by: \.block)
    for (number, entries) in blocks.sorted(by: { $0.key < $1.key }) {
      let block = SnapshotManifest.Block(
        number: number, items: entries.map { .init(name: $0.name, shape: $0.tensor.shape) })
      guard let plan = block.plan else { continue }
      manifest.blocks.append(block)
      let payload = Payload(byteCount: plan.byteCount) { bytes in
        var offset = 0
        for entry in entries {
          entry.tensor.withUnsafeElements { elements in
            UnsafeMutableRawBufferPointer(rebasing: bytes[offset...]).copyMemory(
              from: UnsafeRawBufferPointer(elements))
          }
          offset += entry.tensor.byteCount
        }
        UnsafeMutableRawBufferPointer(rebasing: bytes[offset...]).initializeMemory(as: UInt8.self, repeating: 0)
      }
      tensors.append((number, plan, payload))
    }
    self.manifest = manifest
    self.tensors = tensors
  }
}

extension CacheSnapshot {
  /// - Parameter tensors: those of all blocks of the manifest, as their plans have them.
  init(_ manifest: SnapshotManifest, _ tensors: [Int: Tensor]) {
    var entries: [Entry] = []
    for block in manifest.blocks {
      guard let tensor = tensors[block.number] else { continue }
      tensor.withUnsafeElements { elements in
        var offset = 0
        for item in block.items {
          let part = Tensor(elements[offset..<offset + item.count], shape: item.shape)
          entries.append(Entry(block: block.number, name: item.name, tensor: part))
          offset += item.count
        }
      }
    }
    self.init(entries, lastFullStep: manifest.lastFullStep)
  }
}
