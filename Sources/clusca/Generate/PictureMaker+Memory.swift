import Rendering
import Tensors

extension PictureMaker {
  /// How the transformer is held so that everything fits into the memory; found out before anything is loaded.
  ///
  /// - Throws: ``CommandFailure`` if nothing helps.
  func transformerWeights(_ pictures: [PictureSettings]) throws -> TransformerWeights {
    guard let precision = pictures.first?.precision else { return TransformerWeights() }
    let packed = PackedWeights.file(of: model.path, precision, isQuiet: isQuiet || cluster != nil)
    let estimate = MemoryEstimate(model, pictures.map(\.request), precision: precision)
    guard let available = memory ?? Memory.available, estimate.peak > available else {
      return TransformerWeights(packed: packed)
    }
    let blockBytes = cluster == nil ? try model.blockBytes(precision) : []
    let resident = estimate.residentBlocks(of: blockBytes, available: available)
    guard let resident, packed != nil || precision == .float32 && model.isMappedFloat32 else {
      throw refusal(estimate, available, packingHelps: resident != nil)
    }
    if !isQuiet {
      StandardError.write(
        "clusca: The weights (\(ByteCount(estimate.transformer))) are larger than the memory that is left "
          + "(\(ByteCount(estimate.leftForTransformer(available: available)))): \(blockBytes.count - resident) of "
          + "\(blockBytes.count) blocks are read from disk at each full step.")
    }
    return TransformerWeights(packed: packed, residentBlocks: resident)
  }

  private func refusal(_ estimate: MemoryEstimate, _ available: Int, packingHelps: Bool) -> CommandFailure {
    let parts = [
      ("program", MemoryEstimate.programBytes), ("text encoders", estimate.textEncoders),
      ("encoding", estimate.encoding), ("transformer", estimate.transformer), ("decoder", estimate.decoder),
      ("feature cache", estimate.cache), ("activations", estimate.activations), ("decoding", estimate.decoding),
    ]
    let frames = model.framesPerLatent == nil ? "" : "fewer --frames, "
    let packing = packingHelps ? ", clusca pack with --dtype bf16 or int8 (blocks are read from disk then)" : ""
    return CommandFailure(
      .memory,
      "This takes about \(ByteCount(estimate.peak)) of memory ("
        + parts.map { "\($0.0) \(ByteCount($0.1))" }.joined(separator: ", ")
        + "; text encoders and transformer not at the same time), but \(ByteCount(available)) are available; a smaller "
        + "picture, \(frames)--dtype bf16, --cache none\(packing) or more memory help.")
  }
}
