import Media
import StrictJSON
import Tensors

/// Small pictures and checkpoints for tests.
enum Samples {
  /// A PNG of one colour; `settings` is what it says under `clusca`.
  static func png(
    width: Int = 16, height: Int = 12, grey: UInt8 = 100, settings: JSONValue? = nil, prompt: String? = nil
  ) throws -> [UInt8] {
    let picture = try Picture(
      width: width, height: height, filledWith: Colour(red: grey, green: grey, blue: grey))
    let metadata = PictureMetadata(parameters: prompt.map { GenerationParameters(prompt: $0) }, clusca: settings)
    return try PNG.encode(picture, texts: try metadata.texts())
  }

  /// A safetensors file by hand: a float32 matrix `weight` [2, 3] and a bfloat16 vector `bias` [2].
  static var safetensors: [UInt8] {
    let header =
      #"{"__metadata__":{"format":"pt"},"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"#
      + #""bias":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]}}"#
    let length = UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
      + [UInt8](repeating: 0, count: 28)
  }

  /// A pipeline of two parts, without and with weights; returns its folder.
  static func checkpoint(in folder: TemporaryFolder, at name: String) throws -> String {
    try folder.file(
      "\(name)/model_index.json",
      #"{"_class_name":"FluxPipeline","scheduler":["diffusers","FlowMatchEulerDiscreteScheduler"],"#
        + #""transformer":["diffusers","FluxTransformer2DModel"],"image_encoder":[null,null]}"#)
    try folder.file("\(name)/scheduler/scheduler_config.json", #"{"_class_name":"Other","shift":3.0}"#)
    try folder.file(
      "\(name)/transformer/config.json", #"{"_class_name":"FluxTransformer2DModel","num_layers":19,"x":{"y":1}}"#)
    try folder.file("\(name)/transformer/diffusion_pytorch_model.safetensors", safetensors)
    return "\(folder.path)/\(name)"
  }
}
