import Autoencoders
import Measuring
import Media
import Rendering
import Tensors

/// A picture and what its denoising took; decoding, the same for all methods, is left out.
struct RenderedPicture {
  let picture: Picture
  /// Behind the last step, `[image tokens, channels]`.
  let latents: Tensor
  let seconds: Double
  let processorSeconds: Double

  init(_ request: RenderRequest, _ session: RenderSession) async throws {
    let run = session.run(request)
    let watch = Stopwatch()
    var last: DenoisedStep?
    for try await step in run.steps { last = step }
    seconds = watch.seconds
    processorSeconds = watch.processorSeconds
    guard let last else { preconditionFailure("a run has at least one step") }
    latents = last.latents
    let pixels = try session.decode(latents, of: run)
    picture = try Picture(width: pixels.shape[2], height: pixels.shape[1], bytes: Pixels.bytes(pixels))
  }
}
