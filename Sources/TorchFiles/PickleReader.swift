import Files
import Tensors

/// Reads the pickle of a file of tensors, by a small part of pickle's instructions and without running anything: names
/// outside of ``PickleGlobal`` are refused, and nothing is called.
///
/// Source: Python's `pickletools.py` (instructions) and torch's `_utils.py` (`_rebuild_tensor_v2`).
struct PickleReader {
  /// Why a pickle is refused, as the end of a sentence.
  struct Refusal: Error { let reason: String }

  /// Those of the largest models have less than a megabyte.
  static let maximumBytes = 16 << 20
  private static let maximumContainers = 1 << 20
  /// Each makes one value at most, which takes many times more memory than the byte that asks for it.
  private static let maximumInstructions = 1 << 21

  private let bytes: [UInt8]
  private var place = 0
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  /// The contents of lists and tuples.
  private(set) var sequences: [[PickleValue]] = []
  /// The contents of dictionaries: keys and values in the order of their setting.
  private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Runs to the end and gives what the pickle holds.
  mutating func read() throws(Refusal) -> PickleValue {
    var instructions = 0
    while true {
      let code = try byte()
      if code == UInt8(ascii: ".") { break }
      instructions += 1
      guard instructions <= Self.maximumInstructions else {
        throw Refusal(reason: "has more than \(Self.maximumInstructions) instructions")
      }
      if try readScalar(code) { continue }
      if try readContainer(code) { continue }
      if try readReference(code) { continue }
      throw Refusal(
        reason: "holds the instruction 0x\(String(code, radix: 16)), which a file of tensors does not need")
    }
    guard place == bytes.count, marks.isEmpty, stack.count == 1 else {
      throw Refusal(reason: "does not end where it should")
    }
    return stack[0]
  }

  // MARK: Numbers and texts

  private mutating func readScalar(_ code: UInt8) throws(Refusal) -> Bool {
    switch code {
    case 0x80:  // PROTO
      guard try byte() <= 5 else { throw Refusal(reason: "is of a version that is not known") }
    case 0x95: _ = try bytes(8)  // FRAME
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.integer(try integer(1)))  // BININT1
    case UInt8(ascii: "M"): stack.append(.integer(try integer(2)))  // BININT2
    case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try integer(4)))))  // BININT
    case 0x8A: stack.append(.integer(try long()))  // LONG1
    case UInt8(ascii: "G"):  // BINFLOAT, big-endian
      let pattern = try bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      stack.append(.number(Double(bitPattern: pattern)))
    case UInt8(ascii: "X"): stack.append(.text(try text(try integer(4))))  // BINUNICODE
    case 0x8C, UInt8(ascii: "U"): stack.append(.text(try text(try integer(1))))  // SHORT_BINUNICODE, SHORT_BINSTRING
    default: return false
    }
    return true
  }

  /// Up to 8 bytes with a sign.
  private mutating func long() throws(Refusal) -> Int {
    let count = try integer(1)
    guard count <= 8 else { throw Refusal(reason: "holds a number of more than 64 bits") }
    guard count > 0 else { return 0 }
    let shift = 64 - 8 * count
    return (try integer(count) << shift) >> shift
  }

  // MARK: Containers

  private mutating func readContainer(_ code: UInt8) throws(Refusal) -> Bool {
    switch code {
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "]"): stack.append(.list(try sequence([])))
    case UInt8(ascii: ")"): stack.append(.tuple(try sequence([])))
    case UInt8(ascii: "}"): stack.append(.dictionary(try dictionary()))
    case UInt8(ascii: "t"): stack.append(.tuple(try sequence(try popToMark())))
    case 0x85, 0x86, 0x87:  // TUPLE1 to TUPLE3
      var values: [PickleValue] = []
      for _ in 0..<code - 0x84 { values.append(try pop()) }
      stack.append(.tuple(try sequence(values.reversed())))
    case UInt8(ascii: "a"): try append([try pop()])
    case UInt8(ascii: "e"): try append(try popToMark())
    case UInt8(ascii: "s"):
      let (value, key) = (try pop(), try pop())
      try set([key, value])
    case UInt8(ascii: "u"): try set(try popToMark())
    default: return false
    }
    return true
  }

  private mutating func append(_ values: [PickleValue]) throws(Refusal) {
    guard case .list(let list)? = top else { throw Refusal(reason: "adds to what is no list") }
    sequences[list] += values
  }

  private mutating func set(_ values: [PickleValue]) throws(Refusal) {
    guard case .dictionary(let dictionary)? = top, values.count % 2 == 0 else {
      throw Refusal(reason: "sets a value of what is no dictionary")
    }
    for index in stride(from: 0, to: values.count, by: 2) {
      dictionaries[dictionary].append((values[index], values[index + 1]))
    }
  }

  private mutating func sequence(_ values: [PickleValue]) throws(Refusal) -> Int {
    try checkContainers()
    sequences.append(values)
    return sequences.count - 1
  }

  private mutating func dictionary() throws(Refusal) -> Int {
    try checkContainers()
    dictionaries.append([])
    return dictionaries.count - 1
  }

  private func checkContainers() throws(Refusal) {
    guard sequences.count + dictionaries.count < Self.maximumContainers else {
      throw Refusal(reason: "holds more than \(Self.maximumContainers) lists, tuples and dictionaries")
    }
  }

  // MARK: References, names and tensors

  private mutating func readReference(_ code: UInt8) throws(Refusal) -> Bool {
    switch code {
    case UInt8(ascii: "q"): try remember(try integer(1))
    case UInt8(ascii: "r"): try remember(try integer(4))
    case 0x94: try remember(memo.count)  // MEMOIZE
    case UInt8(ascii: "h"): stack.append(try recalled(try integer(1)))
    case UInt8(ascii: "j"): stack.append(try recalled(try integer(4)))
    case UInt8(ascii: "c"): stack.append(.global(try global(module: try line(), name: try line())))
    case 0x93:  // STACK_GLOBAL
      guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
        throw Refusal(reason: "refers to something whose name is no text")
      }
      stack.append(.global(try global(module: module, name: name)))
    case UInt8(ascii: "Q"): stack.append(.storage(try storage(try pop())))  // BINPERSID
    case UInt8(ascii: "R"):  // REDUCE
      let arguments = try tuple(try pop())
      guard case .global(let function) = try pop() else { throw Refusal(reason: "calls what is no function") }
      stack.append(try result(of: function, arguments))
    case UInt8(ascii: "b"):  // BUILD, by which torch keeps the versions of modules; without meaning here
      _ = try pop()
      guard case .dictionary? = top else { throw Refusal(reason: "sets the state of what has none") }
    default: return false
    }
    return true
  }

  private mutating func remember(_ index: Int) throws(Refusal) {
    guard let top else { throw Refusal(reason: "is damaged") }
    memo[index] = top
  }

  private func recalled(_ index: Int) throws(Refusal) -> PickleValue {
    guard let value = memo[index] else { throw Refusal(reason: "refers to what it does not hold") }
    return value
  }

  private func global(module: String, name: String) throws(Refusal) -> PickleGlobal {
    guard let global = PickleGlobal(module: module, name: name) else {
      throw Refusal(
        reason:
          "asks for \("\(module).\(name)".printable(limit: 80)), which is not needed for tensors and could be code")
    }
    return global
  }

  /// A storage is named by a tuple: "storage", type, key, device, elements.
  private func storage(_ value: PickleValue) throws(Refusal) -> TorchStorage {
    let parts = try tuple(value)
    guard parts.count == 5, case .text("storage") = parts[0], case .global(.storageType(let type)) = parts[1],
      case .text(let key) = parts[2], case .text = parts[3], case .integer(let count) = parts[4], count >= 0
    else { throw Refusal(reason: "names a storage in a way that is not known") }
    return TorchStorage(key: key, type: type, count: count)
  }

  private mutating func result(
    of function: PickleGlobal, _ arguments: [PickleValue]
  ) throws(Refusal) -> PickleValue {
    switch function {
    case .orderedDictionary:
      guard arguments.isEmpty else { throw Refusal(reason: "makes a dictionary in a way that is not known") }
      return .dictionary(try dictionary())
    case .rebuildTensor:
      guard arguments.count >= 6, case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1],
        let shape = try integers(arguments[2]), let strides = try integers(arguments[3]),
        let tensor = TorchTensor(storage, offset: offset, shape: shape, strides: strides)
      else { throw Refusal(reason: "holds a tensor that does not lie within its storage") }
      return .tensor(tensor)
    case .rebuildParameter:
      guard case .tensor? = arguments.first else { throw Refusal(reason: "holds a parameter that is no tensor") }
      return arguments[0]
    case .storageType: throw Refusal(reason: "makes a storage in a way that is not known")
    }
  }

  private func tuple(_ value: PickleValue) throws(Refusal) -> [PickleValue] {
    guard case .tuple(let index) = value else { throw Refusal(reason: "holds something else where a tuple belongs") }
    return sequences[index]
  }

  private func integers(_ value: PickleValue) throws(Refusal) -> [Int]? {
    let values = try tuple(value)
    let integers = values.compactMap { value -> Int? in
      guard case .integer(let integer) = value else { return nil }
      return integer
    }
    return integers.count == values.count ? integers : nil
  }

  // MARK: The stack

  /// The topmost value above the last mark.
  private var top: PickleValue? { stack.count > (marks.last ?? 0) ? stack.last : nil }

  private mutating func pop() throws(Refusal) -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else { throw Refusal(reason: "is damaged") }
    return value
  }

  private mutating func popToMark() throws(Refusal) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw Refusal(reason: "is damaged") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  // MARK: The bytes

  private mutating func byte() throws(Refusal) -> UInt8 { try bytes(1)[place - 1] }

  private mutating func bytes(_ count: Int) throws(Refusal) -> ArraySlice<UInt8> {
    guard count <= bytes.count - place else { throw Refusal(reason: "is cut off") }
    defer { place += count }
    return bytes[place..<place + count]
  }

  /// Little-endian.
  private mutating func integer(_ width: Int) throws(Refusal) -> Int {
    Int(truncatingIfNeeded: try bytes(width).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  private mutating func text(_ count: Int) throws(Refusal) -> String {
    guard let text = String(validating: try bytes(count), as: UTF8.self) else {
      throw Refusal(reason: "holds a text that is not valid UTF-8")
    }
    return text
  }

  /// Up to the next line break.
  private mutating func line() throws(Refusal) -> String {
    guard let end = bytes[place...].firstIndex(of: 0x0A) else { throw Refusal(reason: "is cut off") }
    let line = try text(end - place)
    place += 1
    return line
  }
}
