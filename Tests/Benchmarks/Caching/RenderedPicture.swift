import Autoencoders
import Media
import Rendering

/// A picture and what its denoising took; decoding, the same for all methods, is left out.
struct RenderedPicture {
  let picture: Picture
  let seconds: Double
  let processorSeconds: Double

  init(_ request: RenderRequest, _ session: RenderSession) async throws {
    let run = session.run(request)
    let watch = Stopwatch()
    var latents: DenoisedStep?
    for try await step in run.steps { latents = step }
    seconds = watch.seconds
    processorSeconds = watch.processorSeconds
    guard let latents else { preconditionFailure("a run has at least one step") }
    let pixels = try session.decode(latents.latents, of: run)
    picture = try Picture(width: pixels.shape[1], height: pixels.shape[0], bytes: Pixels.bytes(pixels))
  }
}
