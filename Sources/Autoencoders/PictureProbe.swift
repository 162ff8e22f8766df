import Tensors

/// A probe that shows pictures as other implementations hold them, `[1, channels, height, width]`.
struct PictureProbe {
  private let probe: Probe

  init(_ probe: Probe) { self.probe = probe }

  func callAsFunction(_ name: String, _ x: Tensor) { probe(name, x.planar()) }

  func module(_ name: String) -> PictureProbe { PictureProbe(probe.module(name)) }
}
