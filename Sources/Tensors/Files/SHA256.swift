import CKernels

/// The hash SHA-256 (FIPS 180-4), for digests of weights and files: by the instructions that most CPUs have for it, else by
/// what stands here.
///
/// ```swift
/// var hash = SHA256()
/// tensor.withBytes { hash.update($0) }
/// let digest = hash.finalize().description
/// ```
public struct SHA256: Sendable {
  /// The 32 bytes of a finished hash; its description is lower-case hexadecimal.
  public struct Digest: Sendable, Hashable, CustomStringConvertible {
    public let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Reads 64 digits of lower-case hexadecimal; nil for any other text.
    public init?(_ text: String) {
      let values = text.utf8.map { digit -> UInt8? in
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
      }
      let known = values.compactMap { $0 }
      guard known.count == 64, values.count == 64 else { return nil }
      bytes = stride(from: 0, to: 64, by: 2).map { known[$0] << 4 | known[$0 + 1] }
    }

    public var description: String {
      let digits = Array("0123456789abcdef".utf8)
      return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
  }

  private var state: State = State(
    0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19)
  private var byteCount: UInt64 = 0
  /// Fewer than 64 bytes that wait for the rest of their block.
  private var waiting: [UInt8] = []

  private let usesInstructions: Bool

  private typealias State = SIMD8<UInt32>

  public init() { self.init(usesInstructions: true) }

  /// - Parameter usesInstructions: false for what works on any CPU.
  init(usesInstructions: Bool) { self.usesInstructions = usesInstructions }

  /// The digest of `bytes`.
  public static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
  }

  public static func digest(of bytes: [UInt8]) -> Digest {
    bytes.withUnsafeBytes { digest(of: $0) }
  }

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    byteCount &+= UInt64(bytes.count)
    var rest = bytes[...]
    if !waiting.isEmpty {
      let missing = rest.prefix(64 - waiting.count)
      waiting += missing
      rest = rest.dropFirst(missing.count)
      guard waiting.count == 64 else { return }
      let block = waiting
      block.withUnsafeBytes { compress($0) }
      waiting.removeAll(keepingCapacity: true)
    }
    let whole = rest.count / 64 * 64
    compress(UnsafeRawBufferPointer(rebasing: rest.prefix(whole)))
    waiting += rest.dropFirst(whole)
  }

  public mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// The digest of everything so far.
  public consuming func finalize() -> Digest {
    let bitCount = byteCount &* 8
    // A one bit, zeros up to eight bytes before the end of a block, the length in bits.
    var padding: [UInt8] = [0x80]
    padding += [UInt8](repeating: 0, count: (119 - Int(byteCount % 64)) % 64)
    padding += (0..<8).map { UInt8(truncatingIfNeeded: bitCount >> (56 - 8 * $0)) }
    update(padding)
    return Digest(
      bytes: (0..<32).map { UInt8(truncatingIfNeeded: state[$0 / 4] >> UInt32(24 - 8 * ($0 % 4))) })
  }

  private mutating func compress(_ blocks: UnsafeRawBufferPointer) {
    guard let bytes = blocks.baseAddress, !blocks.isEmpty else { return }
    var state = state
    if usesInstructions {
      let isDone = withUnsafeMutableBytes(of: &state) { state in
        clusca_sha256(
          state.baseAddress?.assumingMemoryBound(to: UInt32.self), bytes.assumingMemoryBound(to: UInt8.self),
          blocks.count / 64, Self.constants)
      }
      if isDone != 0 {
        self.state = state
        return
      }
    }
    Self.constants.withUnsafeBufferPointer { constants in
      withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { schedule in
        for begin in stride(from: 0, to: blocks.count, by: 64) {
          Self.expand(blocks, begin, schedule)
          state = state &+ Self.rounds(state, schedule, constants)
        }
      }
    }
    self.state = state
  }

  @inline(__always)
  private static func expand(
    _ blocks: UnsafeRawBufferPointer, _ begin: Int, _ schedule: UnsafeMutableBufferPointer<UInt32>
  ) {
    for index in 0..<16 {
      schedule[index] = UInt32(bigEndian: blocks.loadUnaligned(fromByteOffset: begin &+ 4 &* index, as: UInt32.self))
    }
    for index in 16..<64 {
      let early = schedule[index - 15]
      let late = schedule[index - 2]
      let first = rotate(early, 7) ^ rotate(early, 18) ^ early >> 3
      let second = rotate(late, 17) ^ rotate(late, 19) ^ late >> 10
      schedule[index] = schedule[index - 16] &+ first &+ schedule[index - 7] &+ second
    }
  }

  @inline(__always)
  private static func rounds(
    _ state: State, _ schedule: UnsafeMutableBufferPointer<UInt32>, _ constants: UnsafeBufferPointer<UInt32>
  ) -> State {
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    // Eight rounds at a time, after which each variable is back in its own place.
    var index = 0
    while index < 64 {
      round(a, b, c, &d, e, f, g, &h, schedule[index] &+ constants[index])
      round(h, a, b, &c, d, e, f, &g, schedule[index &+ 1] &+ constants[index &+ 1])
      round(g, h, a, &b, c, d, e, &f, schedule[index &+ 2] &+ constants[index &+ 2])
      round(f, g, h, &a, b, c, d, &e, schedule[index &+ 3] &+ constants[index &+ 3])
      round(e, f, g, &h, a, b, c, &d, schedule[index &+ 4] &+ constants[index &+ 4])
      round(d, e, f, &g, h, a, b, &c, schedule[index &+ 5] &+ constants[index &+ 5])
      round(c, d, e, &f, g, h, a, &b, schedule[index &+ 6] &+ constants[index &+ 6])
      round(b, c, d, &e, f, g, h, &a, schedule[index &+ 7] &+ constants[index &+ 7])
      index &+= 8
    }
    return State(a, b, c, d, e, f, g, h)
  }

  @inline(__always)
  private static func round(
    _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32,
    _ e: UInt32, _ f: UInt32, _ g: UInt32, _ h: inout UInt32, _ word: UInt32
  ) {
    let choice = g ^ (e & (f ^ g))
    let majority = (a & b) ^ (c & (a ^ b))
    let first = h &+ (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) &+ choice &+ word
    d = d &+ first
    h = first &+ (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) &+ majority
  }

  @inline(__always)
  private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
    word &>> count | word &<< (32 &- count)
  }

  /// The first 32 bits of the fractions of the cube roots of the first 64 primes.
  private static let constants: [UInt32] = [
    0x428A_2F98, 0x7137_4491, 0xB5C0_FBCF, 0xE9B5_DBA5, 0x3956_C25B, 0x59F1_11F1, 0x923F_82A4, 0xAB1C_5ED5,
    0xD807_AA98, 0x1283_5B01, 0x2431_85BE, 0x550C_7DC3, 0x72BE_5D74, 0x80DE_B1FE, 0x9BDC_06A7, 0xC19B_F174,
    0xE49B_69C1, 0xEFBE_4786, 0x0FC1_9DC6, 0x240C_A1CC, 0x2DE9_2C6F, 0x4A74_84AA, 0x5CB0_A9DC, 0x76F9_88DA,
    0x983E_5152, 0xA831_C66D, 0xB003_27C8, 0xBF59_7FC7, 0xC6E0_0BF3, 0xD5A7_9147, 0x06CA_6351, 0x1429_2967,
    0x27B7_0A85, 0x2E1B_2138, 0x4D2C_6DFC, 0x5338_0D13, 0x650A_7354, 0x766A_0ABB, 0x81C2_C92E, 0x9272_2C85,
    0xA2BF_E8A1, 0xA81A_664B, 0xC24B_8B70, 0xC76C_51A3, 0xD192_E819, 0xD699_0624, 0xF40E_3585, 0x106A_A070,
    0x19A4_C116, 0x1E37_6C08, 0x2748_774C, 0x34B0_BCB5, 0x391C_0CB3, 0x4ED8_AA4A, 0x5B9C_CA4F, 0x682E_6FF3,
    0x748F_82EE, 0x78A5_636F, 0x84C8_7814, 0x8CC7_0208, 0x90BE_FFFA, 0xA450_6CEB, 0xBEF9_A3F7, 0xC671_78F2,
  ]
}
