import Files
import Media
import Rendering
import Tensors

extension RenderManifest {
  /// A manifest without pictures for what this process renders with.
  ///
  /// - Parameters:
  ///   - parts: files that belong to a single file of a transformer.
  ///   - isQuiet: whether it is not said that a large checkpoint is being read.
  /// - Throws: what is wrong with the checkpoint.
  init(of model: any RenderModel, parts: [String], isQuiet: Bool) throws {
    let progress = ProgressLine(steps: 1, isShown: !isQuiet)
    defer { progress.clear() }
    progress.phase("reading the model for its digest")
    self.init(
      version: Version.current, build: try Version.build(), numerics: try NumericsClass.current(),
      model: try ModelDigest.checkpoint(
        model.path, others: parts, remembering: DigestCache(environment: Environment.variables)))
  }
}

extension Version {
  /// Version and beginning of the SHA-256 of the program's file: programs of one build behave alike.
  static func build() throws -> String {
    let program = try MappedFile.open("/proc/self/exe")
    let digest = program.withBytes(0..<program.byteCount) { SHA256.digest(of: $0) }
    return "\(current)+\(digest.description.prefix(16))"
  }
}

extension PictureSettings {
  /// The digest of the file that pixels become; of a video, whose own file depends on ffmpeg, that of the digests of its
  /// frames' files.
  func pngDigest(of pixels: Tensor, hasMetadata: Bool) throws -> SHA256.Digest {
    let texts = hasMetadata ? try metadata.texts() : []
    return RenderManifest.Picture.pngDigest(
      try Picture.frames(pixels).map { SHA256.digest(of: try PNG.encode($0, texts: texts)) })
  }
}

extension RenderManifest.Picture {
  /// Of the digests of all frames' files: that of the file itself where there is one.
  static func pngDigest(_ frames: [SHA256.Digest]) -> SHA256.Digest {
    frames.count == 1 ? frames[0] : SHA256.digest(of: Array(frames.map(\.description).joined().utf8))
  }

  /// Where this picture differs from the recorded one first, as the end of a sentence; nil if nowhere.
  ///
  /// - Parameter comparesFile: false where the files cannot be equal, since they name the version of the program.
  func firstDifference(from recorded: RenderManifest.Picture, comparesFile: Bool) -> String? {
    for (index, pair) in zip(latents, recorded.latents).enumerated() where pair.0 != pair.1 {
      return "from step \(index + 1) of \(recorded.latents.count) on"
    }
    if latents.count != recorded.latents.count {
      return "in the number of steps, which was \(recorded.latents.count) and is \(latents.count)"
    }
    if pixels != recorded.pixels { return "in its pixels, though not in its latents" }
    if comparesFile, png != recorded.png { return "in the file alone, not in its pixels" }
    return nil
  }
}
