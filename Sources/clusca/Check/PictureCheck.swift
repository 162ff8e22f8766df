import Media
import Rendering
import Tensors

/// One picture of a manifest, rendered again up to the first difference.
struct PictureCheck {
  let picture: RenderManifest.Picture
  let settings: PictureSettings

  /// Ends the rendering: what follows a difference differs as well.
  private struct Stop: Error {}

  /// Where the picture differs from the recorded one first, as the end of a sentence; nil if nowhere.
  func difference(
    number: Int, _ maker: PictureMaker, _ session: RenderSession, comparesFile: Bool
  ) async throws -> String? {
    var digests: [SHA256.Digest] = []
    func differs() -> String? {
      var made = picture
      made.latents = digests + picture.latents.dropFirst(digests.count)
      return made.firstDifference(from: picture, comparesFile: false)
    }
    let made: PictureMaker.Made
    do {
      made = try await maker.make(settings, number: number, session) { step, _ in
        digests.append(SHA256.digest(of: step.latents))
        if differs() != nil { throw Stop() }
      }
    } catch is Stop {
      return differs()
    }
    var now = picture
    (now.latents, now.pixels) = (digests, SHA256.digest(of: made.pixels))
    now.png = try settings.pngDigest(of: made.pixels, hasMetadata: picture.hasMetadata)
    return now.firstDifference(from: picture, comparesFile: comparesFile || !picture.hasMetadata)
  }
}
