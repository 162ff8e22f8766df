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
    let precision: FeaturePrecision

    var byteCount: Int { shape.reduce(precision.bytes, *) }
    /// Its bytes in the tensor that holds all: as many of that one's numbers as it needs.
    var room: Int { (byteCount + Self.numberBytes - 1) / Self.numberBytes * Self.numberBytes }
    static let numberBytes = MemoryLayout<Float>.stride
  }

  struct Block: Sendable, Equatable {
    let number: Int
    let items: [Item]

    private static let columns = 1024

    /// Of the tensor that holds all: rows of a size that suits any count, zeros at the end. What is in bfloat16 has two of its
    /// numbers in the place of one.
    var plan: TensorPlan? {
      let count = items.reduce(0) { $0 + $1.room } / Item.numberBytes
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
        [
          "name": .string(item.name), "shape": .array(item.shape.map(JSONValue.integer)),
          "type": .string(item.precision.rawValue),
        ] as JSONValue
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
        TensorPlan(.state, .float32, shape: shape) != nil,
        // Those that were kept before there were others are in float32.
        let precision = tensor["type"].map({ $0.string.flatMap(FeaturePrecision.init(rawValue:)) }) ?? .float32
      else { throw WireError("A snapshot has a tensor without name, shape or a type in its block \(number)") }
      return .init(name: name, shape: shape, precision: precision)
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
        number: number,
        items: entries.map { .init(name: $0.name, shape: $0.tensor.shape, precision: $0.tensor.precision) })
      guard let plan = block.plan else { continue }
      manifest.blocks.append(block)
      let payload = Payload(byteCount: plan.byteCount) { bytes in
        func clear(_ range: Range<Int>) {
          UnsafeMutableRawBufferPointer(rebasing: bytes[range]).initializeMemory(as: UInt8.self, repeating: 0)
        }
        var offset = 0
        for (item, entry) in zip(block.items, entries) {
          entry.tensor.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(rebasing: bytes[offset...]).copyMemory(from: $0)
          }
          clear(offset + item.byteCount..<offset + item.room)
          offset += item.room
        }
        clear(offset..<bytes.count)
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
          let bytes = UnsafeRawBufferPointer(
            rebasing: UnsafeRawBufferPointer(elements)[offset..<offset + item.byteCount])
          let part = FeatureTensor(bytes: bytes, shape: item.shape, in: item.precision)
          entries.append(Entry(block: block.number, name: item.name, tensor: part))
          offset += item.room
        }
      }
    }
    self.init(entries, lastFullStep: manifest.lastFullStep)
  }
}
