import ArgumentParser
import Autoencoders
import Conditioning
import Tensors

/// A text encoder or a decoder of latents in the size of a released one; of encoders of many equal layers one of these.
enum PartModel: String, CaseIterable, ExpressibleByArgument {
  case t5, clip, llama
  case pictureDecoder = "picture-decoder"
  case videoDecoder = "video-decoder"

  /// What it is, for the report.
  var title: String {
    switch self {
    case .t5: "a layer of T5 1.1 XXL, 512 tokens"
    case .clip: "CLIP ViT-L/14's text encoder, 77 tokens"
    case .llama: "a layer of Llama 3 8B, 351 tokens"
    case .pictureDecoder: "FLUX.1's decoder, 512 x 512 pixels"
    case .videoDecoder: "HunyuanVideo's decoder, 5 frames of 128 x 128 pixels"
    }
  }

  /// Decoders compute in float32 whatever the model's weights are in.
  var precisions: [Precision] {
    switch self {
    case .t5, .clip, .llama: [.bfloat16, .float32]
    case .pictureDecoder, .videoDecoder: [.float32]
    }
  }

  /// Opens the part, and gives what does its work once.
  func open(folder: String, _ precision: Precision) throws -> () throws -> Void {
    let configuration = try PartConfiguration(path: "\(folder)/config.json")
    let parameters = Parameters(try TensorStore(folder: folder), precision: precision)
    switch self {
    case .t5:
      let encoder = try T5Encoder(T5Configuration(configuration), parameters)
      return { _ = try encoder(Array(0..<512)) }
    case .clip:
      let encoder = try CLIPTextEncoder(CLIPTextConfiguration(configuration), parameters)
      return { _ = try encoder(Array(1...77)) }
    case .llama:
      let encoder = try LlamaEncoder(LlamaConfiguration(configuration), parameters)
      return { _ = try encoder(Array(0..<351), validTokens: 351) }
    case .pictureDecoder:
      let decoder = try AutoencoderKLDecoder(AutoencoderKLConfiguration(configuration), parameters)
      let latents = RandomValues.tensor([1, 16, 64, 64])
      return { _ = try decoder.decode(latents) }
    case .videoDecoder:
      let decoder = try AutoencoderKLHunyuanVideoDecoder(
        AutoencoderKLHunyuanVideoConfiguration(configuration), parameters)
      let latents = RandomValues.tensor([16, 2, 16, 16])
      return { _ = try decoder.decode(latents) }
    }
  }
}
