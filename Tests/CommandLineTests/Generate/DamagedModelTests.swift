import Foundation
import Tensors
import Testing

@testable import clusca

/// Files with a few bytes changed end in a picture or in one sentence, never in a crash or a hang.
///
/// `CLUSCA_FUZZ_ROUNDS` makes more rounds than the few of the suite.
struct DamagedModelTests {
  private static let rounds = ProcessInfo.processInfo.environment["CLUSCA_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 3

  @Test(arguments: [
    "model_index.json", "transformer/config.json", "vae/config.json", "text_encoder/config.json",
    "text_encoder_2/config.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json", "tokenizer_2/tokenizer.json", "tokenizer_2/tokenizer_config.json",
    "text_encoder/model.safetensors", "vae/diffusion_pytorch_model.safetensors",
    "transformer/diffusion_pytorch_model.safetensors.index.json",
    "transformer/diffusion_pytorch_model-00001-of-00003.safetensors",
  ])
  func changedBytesNeverCrash(file: String) throws {
    let folder = try TemporaryFolder()
    let model = ModelFolder(path: try TinyModels.copy(of: TinyModels.dev, in: folder))
    let whole = try model.read(file)
    // Behind its header a file of weights holds numbers, which may be any.
    let end =
      file.hasSuffix(".safetensors") ? 8 + (0..<8).reduce(0) { $0 | Int(whole[$1]) << (8 * $1) } : whole.count
    for round in 0..<Self.rounds {
      let key = RandomKey(seed: UInt64(round), purpose: .test, stream: UInt8(file.utf8.count & 0x7F))
      try model.write(file, Self.changed(whole, below: end, key))
      let outcome = try TinyModels.generate(
        model.path, "-p", "a cat <extra_id_1>", "-q", "-o", "\(folder.path)/x.png", "--force")
      #expect(
        outcome.status == 0 || (outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence)
          || outcome.status == ExitStatus.memory.rawValue,
        "\(file), round \(round): status \(outcome.status), \(outcome.errors)")
    }
  }

  private static func changed(_ bytes: [UInt8], below end: Int, _ key: RandomKey) -> [UInt8] {
    var bytes = bytes
    let tokens = ["0", "-1", "9223372036854775807", "1e999", "null", "[]", "{}", "\"\"", "true", "4096", "\u{E9}"]
    for change in 0...key.integer(at: 0, below: 3) {
      let end = min(end, bytes.count)
      let place = key.integer(at: 4 * change + 1, below: end)
      let choice = key.integer(at: 4 * change + 3, below: 1 << 20)
      switch key.integer(at: 4 * change + 2, below: 5) {
      case 0: bytes[place] ^= 1 << UInt8(choice % 8)
      case 1: bytes[place] = UInt8(choice & 0xFF)
      case 2:
        // A digit becomes another, so that the file stays well-formed.
        if let digit = bytes[place..<end].firstIndex(where: { (0x30...0x39).contains($0) }) {
          bytes[digit] = 0x30 + UInt8(choice % 10)
        }
      case 3:
        // A value of JSON becomes another.
        if let colon = bytes[place..<end].firstIndex(of: UInt8(ascii: ":")),
          let behind = bytes[colon..<end].firstIndex(where: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "}") })
        {
          bytes.replaceSubrange(colon + 1..<behind, with: Array(tokens[choice % tokens.count].utf8))
        }
      default: bytes.swapAt(place, choice % end)
      }
    }
    return bytes
  }
}
